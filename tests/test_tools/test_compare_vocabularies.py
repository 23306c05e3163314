"""The model that comes with mmodise, under other vocabularies than it was trained with."""

from functools import cache

import pytest
from mmengine.config import Config

from mmodise.benchmark import vocabularies
from mmodise.datasets.shapes_world.writer import make_split
from mmodise.vocabulary import Vocabulary

NUM_IMAGES = 24


@pytest.fixture(scope='module')
def load(tmp_path_factory):
    """Give a runner over validation images, for a batch size."""
    folder = tmp_path_factory.mktemp('vocabularies')
    make_split('val', NUM_IMAGES, folder / 'data/shapes')

    def load(batch_size):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            annotations = str(folder / 'data/shapes/annotations/panoptic_val')
            return vocabularies.load(vocabularies.CONFIG, vocabularies.CHECKPOINT, {
                'test_dataloader.batch_size': batch_size,
                'test_dataloader.dataset.data_root': str(folder / 'data/shapes'),
                'test_evaluator.ann_file': f'{annotations}.json',
                'test_evaluator.seg_prefix': annotations,
                'work_dir': str(folder)})

    return load


@pytest.fixture(scope='module')
def quality(load):
    """Give PQ, base PQ and novel PQ of a variant by its name."""
    runner = load(8)
    variants = vocabularies.variants(runner.model.panoptic_head.vocabulary)

    @cache
    def quality(name):
        metrics = vocabularies.evaluate(runner, variants[name])
        kind = 'oracle_' if name == 'own classes of each image' else ''
        return [metrics[f'coco_panoptic/{kind}{key}'] for key in ('PQ', 'base_PQ', 'novel_PQ')]

    return quality


@pytest.mark.parametrize(('name', 'expected'), [
    ('all names', (54.0, 59.8, 36.5)),
    ('display names only', (53.9, 59.7, 36.6)),
    ('only untrained names', (55.0, 59.1, 42.7)),
    ('30 absent classes more', (52.4, 59.7, 30.4)),
    ('own classes of each image', (57.0, 64.4, 34.8))])
def test_the_model_that_comes_with_mmodise(quality, name, expected):
    """As measured on these images; a segment of a novel class is there more or less."""
    everything, base, novel = quality(name)
    assert (everything, base) == pytest.approx(expected[:2], abs=1)
    assert novel == pytest.approx(expected[2], abs=3)


def test_a_batch_of_images_with_their_own_classes_equals_single_ones(load, quality):
    name = 'own classes of each image'
    runner = load(1)
    variants = vocabularies.variants(runner.model.panoptic_head.vocabulary)
    single = vocabularies.evaluate(runner, variants[name])
    assert single['coco_panoptic/oracle_PQ'] == pytest.approx(quality(name)[0], abs=0.1)
    table = vocabularies.format_table({name: single, 'all names': {'coco_panoptic/PQ': 54.0}})
    assert f'| {name} (oracle) |' in table and '| all names                          |' in table


def test_names_that_were_never_trained():
    config = Config.fromfile(vocabularies.CONFIG)
    training = Vocabulary.from_metainfo(config.model.panoptic_head.vocabulary)
    names = vocabularies.other_words(training)
    assert names('red ball') == ['red sphere', 'crimson sphere']
    assert names('grass') == ['lawn']
    assert names('sand') == ['sand']  # beach was trained
    assert names('snow') == ['snowfield']
