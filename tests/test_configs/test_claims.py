"""The configs of the claims change what they say, and nothing else."""

from pathlib import Path

import pytest
from mmdet.registry import MODELS
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs'
RECIPE = CONFIGS / 'odise/odise_sd-small_shapes-panoptic.py'
EXTRACTOR = 'model.backbone.extractor.'
CHANGES = {
    'random': {EXTRACTOR + 'pretrained': 'data/small_models/stable_diffusion'},
    'empty-caption': {'model.backbone.captioner': None},
    'no-noise': {EXTRACTOR + 'timesteps': (-1, )},
    't100': {EXTRACTOR + 'timesteps': (100, )},
    't300': {EXTRACTOR + 'timesteps': (300, )},
    't600': {EXTRACTOR + 'timesteps': (600, )},
    'unet-only': {EXTRACTOR + 'encoder_blocks': (), EXTRACTOR + 'decoder_blocks': (),
                  'model.backbone.strides': (32, 16, 8, 4)},
    'vae-only': {EXTRACTOR + 'unet_blocks': (), 'model.backbone.captioner': None,
                 'model.backbone.strides': (4, 16, 32, 8)},
}


def path_of(name):
    return CONFIGS / f'claims/odise_sd-small-{name}_shapes-panoptic.py'


def flat(config, prefix=''):
    """Settings by their dotted key; empty dictionaries and all else are values."""
    if not isinstance(config, dict) or not config:
        return {prefix[:-1]: config}
    return {key: value for name, part in config.items()
            for key, value in flat(part, f'{prefix}{name}.').items()}


def test_each_config_is_listed():
    assert sorted((CONFIGS / 'claims').glob('*.py')) == sorted(map(path_of, CHANGES))


@pytest.mark.parametrize('name', CHANGES)
def test_each_changes_only_what_it_says(name):
    recipe, ours = (flat(Config.fromfile(path).to_dict()) for path in (RECIPE, path_of(name)))
    assert {key: ours[key] for key in CHANGES[name]} == CHANGES[name]
    changed = {key for key in recipe.keys() | ours if recipe.get(key, ...) != ours.get(key, ...)}
    if 'model.backbone.captioner' in CHANGES[name]:
        changed -= {key for key in recipe if key.startswith('model.backbone.captioner.')}
    assert changed <= CHANGES[name].keys()


@pytest.mark.parametrize('name', ['unet-only', 'vae-only'])
def test_half_of_the_features_make_four_maps(demo_dir, monkeypatch, name):
    monkeypatch.chdir(demo_dir)
    backbone = MODELS.build(Config.fromfile(path_of(name)).model.backbone)
    own = {'unet-only': [64, 32, 16, 8], 'vae-only': [4, 8, 8, 4]}[name]
    assert backbone.extractor.feature_strides == own
    assert sorted(backbone.strides) == [4, 8, 16, 32]
