"""Stable Diffusion XL in all forms that it comes in, and what is said of others."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmodise.benchmark.small_stable_diffusion_xl import ARCHITECTURE
from mmodise.checkpoints.stable_diffusion import load_stable_diffusion, load_stable_diffusion_xl
from mmodise.models import StableDiffusionExtractor, StableDiffusionXLExtractor


@pytest.fixture(scope='module')
def folder(small_xl):
    return str(small_xl / 'stable_diffusion_xl')


@pytest.fixture(scope='module')
def path(small_xl):
    return small_xl / 'stable_diffusion_xl.safetensors'


@pytest.fixture(scope='module')
def expected(folder):
    return load_stable_diffusion_xl(folder)


@pytest.fixture
def copy(folder, tmp_path):
    return Path(shutil.copytree(folder, tmp_path / 'copy', copy_function=os.link))


def check_equal(ours, expected, **tolerance):
    for a, b in zip(ours, expected, strict=True):
        if isinstance(a, torch.Tensor):
            torch.testing.assert_close(a, b, **tolerance)
            continue
        weights, others = a.state_dict(), b.state_dict()
        assert weights.keys() == others.keys() and not a.training
        for name, value in weights.items():
            assert value.dtype == torch.float32
            torch.testing.assert_close(value, others[name], **tolerance)


def test_a_single_file_gives_exactly_the_same(path, folder, expected):
    ours = load_stable_diffusion_xl(str(path), architecture=ARCHITECTURE)
    check_equal(ours, expected, rtol=0, atol=0)
    images = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps = StableDiffusionXLExtractor(str(path), architecture=ARCHITECTURE)(images)
        others = StableDiffusionXLExtractor(folder)(images)
    assert all(torch.equal(a, b) for a, b in zip(maps, others, strict=True))


def test_a_variant_gives_the_same_within_half_precision(small_xl, expected, log):
    ours = load_stable_diffusion_xl(str(small_xl / 'stable_diffusion_xl_fp16'))
    check_equal(ours, expected, rtol=2e-3, atol=2e-3)
    for part in ('vae', 'unet', 'text_encoder', 'text_encoder_2'):
        assert f"{part}/ has no " in log.text


def test_the_text_is_padded_as_each_encoder_was_trained(expected, copy):
    """The second one with zeros, the first one with the token that ends a text."""
    shutil.rmtree(copy / 'tokenizer_2')
    shutil.copytree(copy / 'tokenizer', copy / 'tokenizer_2')
    other = load_stable_diffusion_xl(str(copy), with_unet=False)
    assert torch.equal(other.empty_text[..., :64], expected.empty_text[..., :64])
    first, rest = other.empty_text[..., 64:], expected.empty_text[..., 64:]
    assert torch.equal(first[:, :2], rest[:, :2]) and not torch.allclose(first[:, 2:], rest[:, 2:])


def test_a_unet_that_is_not_used_is_not_asked_for(copy):
    shutil.rmtree(copy / 'unet')
    assert load_stable_diffusion_xl(str(copy), with_unet=False).unet is None
    extractor = StableDiffusionXLExtractor(str(copy), unet_blocks=())
    assert extractor.condition is None and extractor.image_size == 128


@pytest.mark.parametrize(('part', 'message'), [
    ('text_encoder_2', r'text_encoder_2/config\.json; text_encoder_2/ has no files'),
    ('tokenizer_2', r'tokenizer_2/vocab\.json or ')])
def test_a_part_that_is_missing_is_named(copy, part, message):
    shutil.rmtree(copy / part)
    message = (rf"(?s)StableDiffusionXLExtractor: pretrained='{copy}': this folder lacks\n    "
               rf'{message}.*Accepted: .*text_encoder_2/ with tokenizer_2/')
    with pytest.raises(FileNotFoundError, match=message):
        load_stable_diffusion_xl(str(copy))


def drop_weights(path, beginning):
    weights = load_file(path)
    kept = {name: value for name, value in weights.items() if not name.startswith(beginning)}
    assert len(kept) < len(weights)
    path.unlink()
    save_file(kept, path, metadata=dict(format='pt'))


def test_weights_that_a_folder_lacks_are_not_random_numbers(copy):
    drop_weights(copy / 'unet/diffusion_pytorch_model.safetensors', 'add_embedding.linear_2')
    message = r'the files of unet/ lack 2 weights: add_embedding\.linear_2\.bias, add_emb'
    with pytest.raises(ValueError, match=message):
        load_stable_diffusion_xl(str(copy))


def test_a_text_encoder_that_lacks_weights(copy):
    drop_weights(copy / 'text_encoder_2/model.safetensors', 'text_projection')
    with pytest.raises(ValueError, match=r'the files of text_encoder_2/ lack 1 weights: text_proj'):
        load_stable_diffusion_xl(str(copy))


def test_a_vae_without_an_encoder(copy, path, tmp_path):
    drop_weights(copy / 'vae/diffusion_pytorch_model.safetensors', 'encoder.')
    with pytest.raises(ValueError, match='this VAE has no encoder, and images become latents by'):
        load_stable_diffusion_xl(str(copy))
    other = shutil.copy(path, tmp_path / 'no_encoder.safetensors')
    drop_weights(Path(other), 'first_stage_model.encoder.')
    message = r'the vae lacks first_stage_model\.encoder\.\S+, .*by the encoder of a VAE'
    with pytest.raises(ValueError, match=message):
        load_stable_diffusion_xl(str(other), architecture=ARCHITECTURE)


def test_folders_of_the_other_version(folder, small_models):
    message = ('family Stable Diffusion XL, which StableDiffusionXLExtractor reads; expected '
               'Stable Diffusion\n')
    with pytest.raises(ValueError, match=message):
        StableDiffusionExtractor(folder)
    message = ('family Stable Diffusion, which StableDiffusionExtractor reads; expected Stable '
               'Diffusion XL\n')
    with pytest.raises(ValueError, match=message):
        StableDiffusionXLExtractor(str(small_models / 'stable_diffusion'))


def test_a_folder_whose_configs_do_not_say_it(copy):
    """As on the hub, whose files are not looked at before they are loaded."""
    (copy / 'model_index.json').unlink()
    config = copy / 'unet/config.json'
    text = config.read_text()
    config.unlink()
    config.write_text(json.dumps({
        name: value for name, value in json.loads(text).items() if name != '_class_name'}))
    with pytest.raises(ValueError, match='Stable Diffusion XL, which StableDiffusionXLExtractor'):
        load_stable_diffusion(str(copy))


@pytest.mark.parametrize('name', ['AmusedPipeline', 'FluxPipeline', 'PixArtAlphaPipeline'])
def test_folders_of_other_families(tmp_path, name):
    (tmp_path / 'model_index.json').write_text(json.dumps(dict(_class_name=name)))
    for extractor in (StableDiffusionExtractor, StableDiffusionXLExtractor):
        with pytest.raises(ValueError, match=r'of the family (aMUSEd|Flux|PixArt), which'):
            extractor(str(tmp_path))


def test_files_of_the_other_version(path, golden_file):
    with pytest.raises(ValueError, match='StableDiffusionXLExtractor reads it'):
        StableDiffusionExtractor(str(path))
    message = ('no weights of the text_encoder .* and the text_encoder_2 .*it looks like Stable '
               'Diffusion 1.x or 2.x, which StableDiffusionExtractor reads')
    with pytest.raises(ValueError, match=message):
        StableDiffusionXLExtractor(str(golden_file('sd')))


def test_the_refiner_is_known(path, tmp_path):
    weights = {name.replace('embedders.1', 'embedders.0'): value
               for name, value in load_file(path).items() if '.embedders.0.' not in name}
    save_file(weights, tmp_path / 'refiner.safetensors')
    with pytest.raises(ValueError, match='the refiner of Stable Diffusion XL, which has one text'):
        load_stable_diffusion_xl(str(tmp_path / 'refiner.safetensors'), architecture=ARCHITECTURE)


def test_sizes_that_no_file_tells_are_asked_for(path):
    architecture = {part: dict(settings) for part, settings in ARCHITECTURE.items()}
    del architecture['unet']['addition_time_embed_dim']
    message = (r'(?s)the UNet is told 256 numbers beside the text; expected are 64 of pooled text '
               r'and 6 sizes of 256 each.*architecture=dict\(unet=dict\(addition_time_embed_dim')
    with pytest.raises(ValueError, match=message):
        load_stable_diffusion_xl(str(path), architecture=architecture)
