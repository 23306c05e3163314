"""Folders of weights that lack something, and what is said about them."""

import json
import os
import shutil
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from mmodise.checkpoints.stable_diffusion.loading import load_stable_diffusion, load_text_encoder


@pytest.fixture(scope='module')
def folder(small_models):
    return str(small_models / 'stable_diffusion')


def test_weights_are_neither_drawn_nor_copied(folder, tmp_path, weight_operations):
    copy = shutil.copytree(folder, tmp_path / 'copy')
    for path in copy.rglob('*.safetensors'):  # in float32, as those at full size
        weights = {name: value.float() for name, value in load_file(path).items()}
        path.unlink()
        save_file(weights, path, metadata=dict(format='pt'))
    config = copy / 'text_encoder/config.json'
    config.write_text(config.read_text().replace('float16', 'float32'))
    with weight_operations(20_000) as seen:
        _, unet, _ = load_stable_diffusion(str(copy))
    assert seen == set()
    with weight_operations(20_000) as seen:
        unet.double()
    assert seen == {'aten::_to_copy'}, 'what is looked for is seen'


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


def test_a_file_that_is_cut_short_or_not_there_is_named(tmp_path):
    path = tmp_path / 'v1-5.safetensors'
    with pytest.raises(FileNotFoundError, match=r'v1-5\.safetensors can not be found.*\n  Accept'):
        load_stable_diffusion(str(path))
    save_file(dict(weight=torch.ones(100)), path)
    os.truncate(path, 100)
    with pytest.raises(ValueError, match=r'v1-5\.safetensors \(100 bytes\) .* cut short.*\n  Acc'):
        load_stable_diffusion(str(path))


def test_a_hub_id_without_network_is_told_the_local_ways(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_OFFLINE', True)
    message = (r"(?s)'nobody/nothing': AutoencoderKL cannot be loaded from 'vae' "
               r'\(there is no such local folder\).*Accepted: a local folder .* a single local')
    with pytest.raises(FileNotFoundError, match=message):
        load_stable_diffusion('nobody/nothing')


class Attack:
    """Runs a command when it is read."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command, )


@pytest.mark.parametrize('name', [
    'vae/diffusion_pytorch_model', 'unet/diffusion_pytorch_model', 'text_encoder/model'])
def test_pickles_of_a_folder_are_read_as_weights_only(folder, tmp_path, name):
    copy = shutil.copytree(folder, tmp_path / 'copy', copy_function=os.link)
    safe = copy / f'{name}.safetensors'
    weights, mark = load_file(safe), tmp_path / 'mark'
    safe.unlink()
    pickled = copy / f'{name.replace("/model", "/pytorch_model")}.bin'
    torch.save(weights, pickled)
    expected = load_stable_diffusion(folder)[2]
    assert torch.equal(load_stable_diffusion(str(copy))[2], expected)
    torch.save({**weights, 'x': Attack(f'touch {mark}')}, pickled)
    with pytest.raises(FileNotFoundError, match=f"cannot be loaded from '{name.split('/')[0]}'"):
        load_stable_diffusion(str(copy))
    assert not mark.exists()


def test_the_text_encoder_alone_needs_nothing_else(folder, tmp_path):
    copy = tmp_path / 'copy'
    for part in ('text_encoder', 'tokenizer'):
        shutil.copytree(f'{folder}/{part}', copy / part, copy_function=os.link)
    encoder = load_text_encoder(str(copy))
    assert not encoder.training and encoder.config.hidden_size == 64
    with pytest.raises(FileNotFoundError, match=r'lacks\n    vae/config\.json'):
        load_stable_diffusion(str(copy), with_unet=False)


def test_a_folder_of_version_2_pads_with_0(folder, tmp_path):
    """Its tokenizer says so; v-prediction is the scheduler's business, which is not asked."""
    copy = shutil.copytree(folder, tmp_path / 'copy')
    config = copy / 'tokenizer/special_tokens_map.json'
    words = json.loads((copy / 'tokenizer/vocab.json').read_text())
    first = next(word for word, index in words.items() if index == 0)
    config.write_text(json.dumps({**json.loads(config.read_text()), 'pad_token': first}))
    config = copy / 'tokenizer/tokenizer_config.json'
    config.write_text(json.dumps({**json.loads(config.read_text()), 'pad_token': first}))
    encoder = load_text_encoder(folder)
    begin, end = words['<|startoftext|>'], words['<|endoftext|>']
    with torch.no_grad():
        expected = encoder(torch.tensor([[begin, end, *[0] * 75]])).last_hidden_state
    torch.testing.assert_close(
        load_stable_diffusion(str(copy), with_unet=False)[2], expected, rtol=0, atol=1e-5)


def test_settings_of_a_folder_can_be_overridden(folder):
    _, unet, _ = load_stable_diffusion(folder, architecture=dict(unet=dict(sample_size=24)))
    assert unet.config.sample_size == 24


def rename_weights(folder, parts, variants, pieces=False):
    """Leave only weights of variants in parts of a folder, whole or with an index."""
    for part in parts:
        path, = (folder / part).glob('*.safetensors')
        weights = {name: value.half() for name, value in load_file(path).items()}
        path.unlink()
        for variant in variants:
            if not pieces:
                save_file(weights, path.with_name(f'{path.stem}.{variant}.safetensors'),
                          metadata=dict(format='pt'))
                continue
            piece = f'{path.stem}.{variant}-00001-of-00001.safetensors'
            save_file(weights, path.with_name(piece), metadata=dict(format='pt'))
            path.with_name(f'{path.name}.index.{variant}.json').write_text(
                json.dumps(dict(metadata={}, weight_map=dict.fromkeys(weights, piece))))


@pytest.mark.parametrize(('parts', 'variants', 'pieces'), [
    (('vae', 'unet', 'text_encoder'), ['fp16'], False),
    (('unet', ), ['non_ema'], False),
    (('unet', ), ['fp16', 'non_ema'], False),
    (('unet', ), ['fp16'], True)])
def test_variants_are_read_where_there_are_no_plain_weights(
        folder, tmp_path, log, parts, variants, pieces):
    copy = Path(shutil.copytree(folder, tmp_path / 'copy'))
    rename_weights(copy, parts, variants, pieces)
    ours, expected = load_stable_diffusion(str(copy)), load_stable_diffusion(folder)
    for part, other in zip(ours[:2], expected[:2], strict=True):
        for a, b in zip(part.parameters(), other.parameters(), strict=True):
            assert a.dtype == torch.float32
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    assert f"unet/ has no diffusion_pytorch_model.safetensors; its variant '{variants[0]}'" in (
        log.text)


def test_several_variants_are_not_chosen_from(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / 'copy'))
    rename_weights(copy, ['unet'], ['ema', 'non_ema'])
    with pytest.raises(FileNotFoundError, match=r'unet/ has .* several variants, ema, non_'):
        load_stable_diffusion(str(copy))


def test_files_that_are_no_weights_are_named(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / 'copy'))
    (copy / 'vae/diffusion_pytorch_model.safetensors').write_bytes(
        b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7\nsize 9\n')
    with pytest.raises(FileNotFoundError, match=r'vae/diff.*it is a pointer of Git LFS.*lfs pull'):
        load_stable_diffusion(str(copy))
