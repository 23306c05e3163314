"""Folders of other families of generators are told apart by what they say of themselves."""

import json

import pytest

from mmodise.checkpoints.model_folder import expect_family, family_of


def write(folder, name, **content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(('files', 'family'), [
    ({'unet/config.json': dict(_class_name='UNet2DConditionModel')}, 'Stable Diffusion'),
    ({'unet/config.json': dict(
        _class_name='UNet2DConditionModel', addition_embed_type='text_time')},
     'Stable Diffusion XL'),
    ({'transformer/config.json': dict(_class_name='SD3Transformer2DModel')}, 'Stable Diffusion 3'),
    ({'transformer/config.json': dict(_class_name='PixArtTransformer2DModel')}, 'PixArt'),
    ({'transformer/config.json': dict(_class_name='UVit2DModel')}, 'aMUSEd'),
    ({'transformer/config.json': dict(_class_name='FluxTransformer2DModel')}, 'Flux'),
    ({'transformer/config.json': dict(_class_name='HunyuanDiT2DModel')}, 'HunyuanDiT2DModel'),
    ({'model_index.json': dict(_class_name='StableDiffusionPipeline')}, 'Stable Diffusion'),
    ({'model_index.json': dict(_class_name='StableDiffusionXLImg2ImgPipeline')},
     'Stable Diffusion XL'),
    ({'model_index.json': dict(_class_name='StableDiffusion3Pipeline')}, 'Stable Diffusion 3'),
    ({'model_index.json': dict(_class_name='PixArtSigmaPipeline')}, 'PixArt'),
    ({'model_index.json': dict(_class_name='AmusedPipeline')}, 'aMUSEd'),
    ({'model_index.json': dict(_class_name='MyPipeline')}, None),
    # a pipeline may have any name: what the network is counts
    ({'model_index.json': dict(_class_name='StableDiffusionPipeline'),
      'unet/config.json': dict(
          _class_name='UNet2DConditionModel', addition_embed_type='text_time')},
     'Stable Diffusion XL'),
    ({}, None),
])
def test_families(tmp_path, files, family):
    for name, content in files.items():
        write(tmp_path, name, **content)
    assert family_of(tmp_path) == family


def test_what_is_no_folder_or_says_nothing():
    assert family_of('nobody/nothing') is None
    expect_family('nobody/nothing', ['PixArt'])


def test_a_broken_config_says_nothing(tmp_path):
    write(tmp_path, 'model_index.json', _class_name='FluxPipeline')
    (tmp_path / 'unet').mkdir()
    (tmp_path / 'unet/config.json').write_text('{')
    assert family_of(tmp_path) == 'Flux'


def test_another_family_is_refused_with_what_reads_it(tmp_path):
    write(tmp_path, 'model_index.json', _class_name='AmusedPipeline')
    expect_family(tmp_path, ['aMUSEd'])
    message = ('a model of the family aMUSEd, which TokenDiffusionExtractor reads; expected '
               'Stable Diffusion 3 or PixArt')
    with pytest.raises(ValueError, match=message):
        expect_family(tmp_path, ['Stable Diffusion 3', 'PixArt'])
    write(tmp_path, 'transformer/config.json', _class_name='FluxTransformer2DModel')
    with pytest.raises(ValueError, match='Flux, which no extractor reads; expected aMUSEd'):
        expect_family(tmp_path, ['aMUSEd'])
