"""Folders of weights that lack something, and what is said about them."""

import os
import shutil

import pytest

from mmodise.models.diffusion.loading import load_stable_diffusion


@pytest.fixture(scope='module')
def folder(small_models):
    return str(small_models / 'stable_diffusion')


@pytest.mark.parametrize(('file', 'message'), [
    ('vae/config.json', r'vae/config\.json; vae/ has diffusion_pytorch_model\.safetensors'),
    ('unet/diffusion_pytorch_model.safetensors',
     r'unet/diffusion_pytorch_model\.safetensors or .*; unet/ has config\.json'),
    ('text_encoder/config.json', r'text_encoder/config\.json; text_encoder/ has model'),
    ('text_encoder/model.safetensors', r'text_encoder/model\.safetensors or '),
    ('tokenizer/merges.txt', r'tokenizer/merges\.txt or '),
    ('tokenizer', r'tokenizer/vocab\.json or .*; tokenizer/ has no files\n.*merges'),
])
def test_a_missing_file_is_named_with_what_is_accepted(folder, tmp_path, file, message):
    copy = shutil.copytree(folder, tmp_path / 'copy', copy_function=os.link)
    (copy / file).rename(tmp_path / 'gone')
    message = rf"pretrained='{copy}': this folder lacks\n    {message}.*\n  Accepted: a local f"
    with pytest.raises(FileNotFoundError, match=message):
        load_stable_diffusion(str(copy))


def test_a_unet_that_is_not_used_is_not_asked_for(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / 'copy', copy_function=os.link)
    shutil.rmtree(copy / 'unet')
    _, unet, text = load_stable_diffusion(str(copy), with_unet=False)
    assert unet is None and text.shape == (1, 77, 64)


def test_a_broken_file_is_told_with_its_part(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / 'copy')
    with open(copy / 'text_encoder/model.safetensors', 'r+b') as file:
        file.truncate(1000)
    with pytest.raises(FileNotFoundError, match=r"CLIPTextModel .* 'text_encoder': .*header"):
        load_stable_diffusion(str(copy))


def test_a_tokenizer_of_another_model_is_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / 'copy')
    (copy / 'tokenizer/vocab.json').write_text('{"<|startoftext|>": 0, "<|endoftext|>": 1}')
    (copy / 'tokenizer/merges.txt').write_text('#version: 0.2\n')
    with pytest.raises(FileNotFoundError, match='has 2 words and the text encoder 967'):
        load_stable_diffusion(str(copy))


def test_a_single_file_is_refused_with_the_way_to_convert_it(tmp_path):
    (tmp_path / 'v1-5.safetensors').touch()
    with pytest.raises(FileNotFoundError, match=r'(?s)v1-5.*this is a file.*from_single_file'):
        load_stable_diffusion(str(tmp_path / 'v1-5.safetensors'))
