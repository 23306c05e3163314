"""The configs of consistency and captioners change what they say, and nothing else."""

from pathlib import Path

import pytest
from mmdet.registry import DATASETS
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs'
RECIPE = CONFIGS / 'odise/odise_sd-small_shapes-panoptic.py'
TERMS = {'layer_mask', 'layer_class', 'view_mask', 'view_class', 'clip', 'embedding'}
ON = {
    'layers': {'layer_mask', 'layer_class'}, 'scales': {'view_mask', 'view_class'},
    'flip': {'view_mask', 'view_class'}, 'clip': {'clip'}, 'embedding': {'embedding'},
    'all': TERMS}
VIEWS = {'scales': (0.5, False), 'flip': (1.0, True)}
CAPTIONERS = {
    'given-caption': 'GivenCaption', 'learned-prompt': 'LearnedPrompt',
    'captioner': 'PretrainedCaptioner', 'data-set-caption': 'DataSetCaption'}


def read(folder, name):
    return Config.fromfile(CONFIGS / f'{folder}/odise_sd-small-{name}_shapes-panoptic.py').to_dict()


@pytest.fixture(scope='module')
def recipe():
    return Config.fromfile(RECIPE).to_dict()


def test_each_config_is_listed():
    for folder, names in (('consistency', [f'consistency-{name}' for name in ON]),
                          ('captioners', CAPTIONERS)):
        found = {path.name for path in (CONFIGS / folder).glob('*.py')}
        assert found == {f'odise_sd-small-{name}_shapes-panoptic.py' for name in names}


@pytest.mark.parametrize('name', ON)
def test_consistency_is_all_that_is_added(recipe, name):
    config = read('consistency', f'consistency-{name}')
    loss = config['model'].pop('consistency')
    assert config == recipe
    assert loss.pop('type') == 'ConsistencyLoss'
    assert {term for term in TERMS if loss.get(term, 1)} == ON[name]
    assert (loss.get('scale', 0.5), loss.get('flip', True)) == VIEWS.get(name, (0.5, True))


@pytest.mark.parametrize('name', CAPTIONERS)
def test_the_captioner_is_all_that_is_another(recipe, name):
    config = read('captioners', name)
    assert config['model']['backbone'].pop('captioner')['type'] == CAPTIONERS[name]
    expected = {**recipe, 'model': {**recipe['model'], 'backbone': {
        key: value for key, value in recipe['model']['backbone'].items() if key != 'captioner'}}}
    if name == 'data-set-caption':
        for one in (config, expected):
            for key in ('train', 'val', 'test'):
                one.pop(f'{key}_pipeline', None)
                one[f'{key}_dataloader'] = {**one[f'{key}_dataloader'], 'dataset': {
                    entry: value for entry, value in one[f'{key}_dataloader']['dataset'].items()
                    if entry not in ('pipeline', 'caption_file')}}
    assert config == expected


def test_pictures_come_with_a_caption_of_theirs(demo_dir, monkeypatch):
    """One of an image's captions in training, the first in testing."""
    monkeypatch.chdir(demo_dir)
    name = 'captioners/odise_sd-small-data-set-caption_shapes-panoptic.py'
    config = Config.fromfile(CONFIGS / name)
    train, test = (DATASETS.build(config[f'{key}_dataloader'].dataset) for key in ('train', 'test'))
    for data, number in ((train, 5), (test, 1)):
        captions = data.get_data_info(1)['captions']
        drawn = {data[1]['data_samples'].caption for _ in range(40)}
        assert len(captions) == 5 and drawn <= set(captions) and len(drawn) == number
    assert drawn == {captions[0]}
    assert data[0]['data_samples'].text, 'the vocabulary is there as before'
