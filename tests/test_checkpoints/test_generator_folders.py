"""Folders of Stable Diffusion 3 and of aMUSEd: variants, what they lack, and other families."""

import json
import os
import re
import shutil

import mmodise  # noqa: F401  isort: skip, it makes the next ones importable
import pytest
import torch
from safetensors.torch import load_file, save_file

from mmodise.checkpoints.diffusion_transformer import load_stable_diffusion_3
from mmodise.checkpoints.token_diffusion import load_amused

WEIGHTS = 'diffusion_pytorch_model.safetensors'


@pytest.fixture
def sd3(small_sd3, tmp_path):
    return shutil.copytree(small_sd3, tmp_path / 'sd3', copy_function=os.link)


@pytest.fixture
def amused(small_amused, tmp_path):
    return shutil.copytree(small_amused, tmp_path / 'amused', copy_function=os.link)


def rewrite(path, change):
    """Change weights, in a file of its own."""
    weights = load_file(path)
    change(weights)
    path.unlink()
    save_file(weights, path, metadata=dict(format='pt'))


def test_half_precision_variants(small_sd3, small_amused, sd3, amused):
    for folder in (sd3, amused):
        for path in [*folder.rglob('*.safetensors')]:
            weights = {name: value.half() for name, value in load_file(path).items()}
            path.unlink()
            save_file(weights, path.with_suffix('.fp16.safetensors'), metadata=dict(format='pt'))
    ours, plain = load_stable_diffusion_3(str(sd3)), load_stable_diffusion_3(str(small_sd3))
    assert ours.transformer.dtype == torch.float32
    torch.testing.assert_close(ours.empty_text, plain.empty_text, rtol=0.02, atol=0.02)
    assert not torch.equal(ours.empty_text, plain.empty_text)
    ours, plain = load_amused(str(amused)), load_amused(str(small_amused))
    torch.testing.assert_close(ours.empty_pooled, plain.empty_pooled, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(('gone', 'message'), [
    ('vae', r'vae/config\.json; vae/ has no files'),
    (f'transformer/{WEIGHTS}', r'transformer/diffusion_pytorch_model\.safetensors or'),
    ('text_encoder_2/model.safetensors', r'text_encoder_2/model\.safetensors or'),
    ('tokenizer_2/merges.txt', r'tokenizer_2/merges\.txt or')])
def test_a_part_of_stable_diffusion_3_that_is_missing(sd3, gone, message):
    (sd3 / gone).rename(sd3 / 'gone')
    with pytest.raises(FileNotFoundError, match=message + r'.*[\s\S]*Accepted: .* transformer/'):
        load_stable_diffusion_3(str(sd3))


@pytest.mark.parametrize(('gone', 'message'), [
    ('vqvae', r'vqvae/config\.json; vqvae/ has no files'),
    ('scheduler/scheduler_config.json', r'which token is the mask'),
    ('text_encoder/config.json', r'text_encoder/config\.json')])
def test_a_part_of_amused_that_is_missing(amused, gone, message):
    (amused / gone).rename(amused / 'gone')
    with pytest.raises(FileNotFoundError, match=message + r'[\s\S]*Accepted: .* vqvae/'):
        load_amused(str(amused))


@pytest.mark.parametrize('part', ['vae', 'vqvae'])
def test_an_autoencoder_without_its_encoder(sd3, amused, part):
    folder, load = (sd3, load_stable_diffusion_3) if part == 'vae' else (amused, load_amused)
    rewrite(folder / part / WEIGHTS, lambda weights: [
        weights.pop(name) for name in [*weights] if name.startswith('encoder.')])
    with pytest.raises(ValueError, match=f'the files of {part}/ lack .*no encoder'):
        load(str(folder))


def test_broken_and_infinite_weights(sd3, amused):
    def spoil(weights):
        weights['proj_out.bias'][0] = torch.nan

    rewrite(sd3 / 'transformer' / WEIGHTS, spoil)
    with pytest.raises(ValueError, match=r'transformer\.proj_out\.bias \(1 of'):
        load_stable_diffusion_3(str(sd3))
    path = amused / 'transformer' / WEIGHTS
    content = path.read_bytes()[:1000]
    path.unlink()
    path.write_bytes(content)
    with pytest.raises((FileNotFoundError, ValueError), match='transformer'):
        load_amused(str(amused))


def test_a_folder_of_another_family_is_told(small_models, sd3, amused):
    stable_diffusion = str(small_models / 'stable_diffusion')
    for load, folder, family, reader in (
            (load_stable_diffusion_3, stable_diffusion, 'Stable Diffusion',
             'StableDiffusionExtractor'),
            (load_stable_diffusion_3, str(amused), 'aMUSEd', 'TokenDiffusionExtractor'),
            (load_amused, str(sd3), 'Stable Diffusion 3', 'DiffusionTransformerExtractor')):
        message = rf'a model of the family {family}, which {reader} reads; expected '
        with pytest.raises(ValueError, match=message):
            load(folder)
    config = sd3 / 'transformer/config.json'
    text = config.read_text().replace('SD3Transformer2DModel', 'PixArtTransformer2DModel')
    config.unlink()
    config.write_text(text)
    with pytest.raises(ValueError, match='the family PixArt, which no extractor reads'):
        load_stable_diffusion_3(str(sd3))
    with pytest.raises(ValueError, match='a single file of this family is not read'):
        load_stable_diffusion_3('sd3_medium.safetensors')


def test_parts_of_different_models(sd3, amused, small_models):
    shutil.rmtree(sd3 / 'vae')
    shutil.copytree(small_models / 'stable_diffusion/vae', sd3 / 'vae')
    with pytest.raises(ValueError, match='transformer takes 8 channels and the VAE makes 4'):
        load_stable_diffusion_3(str(sd3))
    path = amused / 'scheduler/scheduler_config.json'
    config = json.loads(path.read_text())
    path.unlink()
    path.write_text(json.dumps(dict(config, mask_token_id=600)))
    with pytest.raises(ValueError, match=re.escape('512 and 520 tokens, and the scheduler masks')):
        load_amused(str(amused))
