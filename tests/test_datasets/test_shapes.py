import importlib
import json
import re
from pathlib import Path
from types import ModuleType

import cv2
import mmcv
import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmodise.datasets.shapes import ShapesPanopticDataset
from mmodise.datasets.shapes_world import (
    BASE_STUFF,
    BASE_THINGS,
    NOVEL_CLASSES,
    NOVEL_THINGS,
    SIZE,
    STUFF,
    THINGS,
    Scene,
    draw_scene,
    palette,
    write_captions,
)
from mmodise.datasets.shapes_world.captions import _count, _join
from mmodise.datasets.shapes_world.scene import MIN_STUFF_AREA, MIN_THING_AREA
from mmodise.datasets.shapes_world.things import (
    _CREAM,
    _SPRINKLES,
    _WHITE,
    Thing,
    _paint,
    draw_thing,
)
from mmodise.vocabulary import Vocabulary

ROOT = Path(__file__).parents[2]
NUM_TRAIN, NUM_VAL = 16, 40
ALL_NAMES = THINGS | STUFF


@pytest.fixture(scope='module')
def make_shapes() -> ModuleType:
    return importlib.import_module('mmodise.datasets.shapes_world.writer')


@pytest.fixture(scope='module')
def data_root(make_shapes, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('shapes')
    make_shapes.make_split('train', NUM_TRAIN, root)
    make_shapes.make_split('val', NUM_VAL, root)
    return root


@pytest.fixture(autouse=True)
def mmdet_scope():
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def read(data_root: Path, name: str) -> dict:
    return json.loads((data_root / f'annotations/{name}.json').read_text())


def dataset_config(data_root: Path, part: str) -> dict:
    config = Config.fromfile(ROOT / 'configs/_base_/datasets/shapes_panoptic.py')
    dataset = config[f'{part}_dataloader'].dataset
    dataset.data_root = str(data_root)
    return dataset


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob('*') if p.is_file()}


# Classes


def test_vocabulary_is_16_things_and_8_stuff_classes():
    assert (len(THINGS), len(STUFF), len(BASE_THINGS), len(BASE_STUFF)) == (16, 8, 12, 6)
    names = [name for synonyms in ALL_NAMES.values() for name in synonyms]
    assert len(set(names)) == len(names)
    assert THINGS['red ball'] == ('red ball', 'red sphere', 'crimson ball', 'crimson sphere')


def test_every_shape_and_attribute_is_held_out_but_not_entirely():
    for part, count in ((0, 4), (1, 4)):
        held_out = {name.split()[part] for name in NOVEL_THINGS}
        trained = {name.split()[part] for name in BASE_THINGS}
        assert len(held_out) == count and held_out == trained


def test_palette_has_a_color_of_its_own_for_each_class():
    classes = (*THINGS, *STUFF)
    colors = palette(classes)
    assert len(set(colors)) == 24
    assert max(max(color) for color in colors) <= 250  # room for the count in segment ids
    for name, (red, green, blue) in zip(classes, colors, strict=True):
        if name.startswith('red'):
            assert red > green and red > blue
        if name.startswith('blue'):
            assert blue > red and blue > green


# Scenes


def test_ring_of_radius_20_has_the_area_of_a_ring():
    thing = Thing('ring', 'blue', x=60, y=60, radius=20, angle=0.3, seed=0)
    # Outer radius 20, inner radius 0.38 * 20 = 7.6: pi (20^2 - 7.6^2) = 1075.2 pixels.
    assert np.count_nonzero(thing.distance <= 0) == pytest.approx(1075.2, rel=0.01)
    assert thing.distance[60, 60] == pytest.approx(7.6, abs=1)  # the hole is outside


@pytest.mark.parametrize('shape', ['box', 'star'])
def test_distance_is_in_pixels(shape):
    distance = Thing(shape, 'red', x=64, y=64, radius=30, angle=0.5, seed=0).distance
    steps = np.hypot(*np.gradient(distance))[distance > 2]
    assert steps.mean() == pytest.approx(1, abs=0.01)
    assert distance[64, 64] < -8
    assert distance[0, 0] > 50


def pieces(thing: Thing, color: np.ndarray) -> int:
    """How many separate spots of a colour are on a thing."""
    same = (np.abs(_paint(thing) - color).max(axis=-1) < 8) & (thing.distance < 0)
    return cv2.connectedComponents(same.astype(np.uint8))[0] - 1  # less the background


@pytest.mark.parametrize('angle', [0, 0.5])
def test_every_shape_has_details_of_its_own(angle):
    things = {shape: Thing(shape, 'red', x=64, y=64, radius=30, angle=angle, seed=0)
              for shape in ('ball', 'star', 'ring')}
    assert np.ptp(_paint(things['ball']).reshape(-1, 3), axis=0).max() == 0  # plain
    assert pieces(things['star'], _CREAM) == 11  # two on each of five arms, one in the middle
    assert [pieces(things['ring'], color) for color in _SPRINKLES] == [4, 4, 4, 4]


@pytest.mark.parametrize('attribute', ['red', 'striped'])
@pytest.mark.parametrize('angle', [0, 0.5])
def test_ribbon_turns_with_the_box(attribute, angle):
    thing = Thing('box', attribute, x=64, y=64, radius=30, angle=angle, seed=0)
    paint = _paint(thing)
    u, v = thing.local_grid()
    around_bow = (np.hypot(u, v) > 0.6) & (np.hypot(u, v) < 0.8)
    ribbon = (np.minimum(np.abs(u), np.abs(v)) < 0.08) & around_bow
    assert np.abs(paint[ribbon] - _CREAM).max() < 1
    paper = (np.minimum(np.abs(u), np.abs(v)) > 0.2) & around_bow
    assert (np.abs(paint[paper] - _CREAM).max(axis=-1) > 15).all()


def test_only_the_ball_has_a_large_spot_of_light():
    def spot(shape):
        image = draw_thing(np.zeros((SIZE, SIZE, 3), np.float32),
                           Thing(shape, 'blue', x=64, y=64, radius=30, angle=0, seed=0))
        return np.count_nonzero(np.abs(image - _WHITE).max(axis=-1) < 20)

    # Normals within arccos 0.95 = 18.2 degrees of halfway, which is 23.2 degrees off the eye, make
    # an ellipse of half axes 30 sin 18.2 = 9.4 and 9.4 cos 23.2 = 8.6 pixels: 254 pixels.
    assert spot('ball') == pytest.approx(254, rel=0.25)
    assert spot('box') < 20


def test_scene_keeps_its_promises():
    for seed in range(30):
        scene = draw_scene(np.random.default_rng(seed), focus_thing='striped ring',
                           focus_stuff='snow')
        assert scene.image.shape == (SIZE, SIZE, 3) and scene.image.dtype == np.uint8
        assert {'striped ring', 'snow'} <= set(scene.class_names)
        is_thing = np.array([name in THINGS for name in scene.class_names])
        areas = np.bincount(scene.segment_map.ravel(), minlength=len(is_thing))
        assert 2 <= is_thing.sum() <= 5 and 2 <= (~is_thing).sum() <= 3
        assert areas[is_thing].min() >= MIN_THING_AREA
        assert areas[~is_thing].min() >= MIN_STUFF_AREA
        assert is_thing[:is_thing.sum()].all()  # things first


def test_things_have_the_color_of_their_name():
    for attribute, channel in (('red', 0), ('blue', 2)):
        name = f'{attribute} ball'
        scene = draw_scene(np.random.default_rng(3), things=(name, ))
        mean = scene.image[scene.segment_map == 0].mean(axis=0)
        assert mean.argmax() == channel and mean[channel] > 1.5 * np.delete(mean, channel).max()


def test_scene_of_one_stuff_class_is_refused():
    with pytest.raises(ValueError, match=r"stuff classes \('grass',\).*backdrop"):
        draw_scene(np.random.default_rng(0), stuff=('grass', ))


# Captions


def test_caption_counts_and_joins():
    assert _count('red box', 2) == 'two red boxes'
    assert _count('blue star', 1) == 'a blue star'
    assert _count('striped ball', 5) == 'five striped balls'
    assert _join(['a', 'b', 'c']) == 'a, b and c'
    assert _join(['a']) == 'a'


def test_caption_of_a_known_scene():
    scene = Scene(np.empty(0), np.empty(0), ('red box', 'red box', 'sand', 'night sky', 'grass'),
                  backdrop='night sky', ground='sand', patch='grass')
    captions = write_captions(scene, np.random.default_rng(0), synonyms=0)
    assert captions[0] == 'two red boxes on the sand beside the grass under the night sky'
    assert len(captions) == len(set(captions)) == 5
    assert 'beach' in write_captions(scene, np.random.default_rng(0), synonyms=1)[0]


def mentioned(caption: str) -> set[str]:
    return {name for name, synonyms in ALL_NAMES.items()
            if any(re.search(rf'\b{synonym}(e?s)?\b', caption) for synonym in synonyms)}


# Files


@pytest.mark.parametrize('split', ['train', 'val'])
def test_captions_mention_exactly_what_is_in_the_picture(data_root, split):
    panoptic = read(data_root, f'panoptic_{split}')
    names = {category['id']: category['name'] for category in panoptic['categories']}
    present = {annotation['image_id']:
               {names[s['category_id']] for s in annotation['segments_info']}
               for annotation in panoptic['annotations']}
    captions = read(data_root, f'captions_{split}')['annotations']
    assert len(captions) == 5 * len(present)
    assert len({caption['id'] for caption in captions}) == len(captions)
    for caption in captions:
        assert mentioned(caption['caption']) == present[caption['image_id']], caption['caption']


@pytest.mark.parametrize('split', ['train', 'val'])
def test_png_agrees_with_json(data_root, split):
    for annotation in read(data_root, f'panoptic_{split}')['annotations']:
        png = mmcv.imread(data_root / f'annotations/panoptic_{split}' / annotation['file_name'],
                          channel_order='rgb').astype(int)
        ids = png[..., 0] + 256 * png[..., 1] + 65536 * png[..., 2]
        segments = {segment['id']: segment for segment in annotation['segments_info']}
        assert len(segments) == len(annotation['segments_info'])
        assert set(np.unique(ids)) == set(segments)
        for segment_id, segment in segments.items():
            assert np.count_nonzero(ids == segment_id) == segment['area']
            assert list(cv2.boundingRect((ids == segment_id).astype(np.uint8))) == segment['bbox']


def test_novel_classes_are_in_no_training_image_and_every_class_is_in_val(data_root):
    def used(split):
        content = read(data_root, f'panoptic_{split}')
        names = {category['id']: category['name'] for category in content['categories']}
        return tuple(names.values()), {names[segment['category_id']]
                                       for annotation in content['annotations']
                                       for segment in annotation['segments_info']}

    categories, drawn = used('train')
    assert categories == BASE_THINGS + BASE_STUFF
    assert drawn <= set(categories) and not drawn & set(NOVEL_CLASSES)
    categories, drawn = used('val')
    assert categories == tuple(ALL_NAMES)
    assert drawn == set(ALL_NAMES)


def test_categories_have_one_id_in_both_splits(make_shapes):
    every = make_shapes.categories(tuple(ALL_NAMES))
    ids = {category['name']: category['id'] for category in every}
    assert list(ids.values()) == list(range(1, 25))
    for category in make_shapes.categories(BASE_THINGS + BASE_STUFF):
        assert category['id'] == ids[category['name']]
        assert category['isthing'] == (category['name'] in THINGS)


def test_same_bytes_for_any_number_of_workers_and_images(make_shapes, data_root, tmp_path):
    for workers in (1, 2):
        make_shapes.make_split('val', 10, tmp_path / str(workers), workers=workers)
    assert files(tmp_path / '1') == files(tmp_path / '2')
    name = 'val/000010.jpg'
    assert (tmp_path / '1' / name).read_bytes() == (data_root / name).read_bytes()


def test_another_seed_draws_other_images(make_shapes, data_root, tmp_path):
    make_shapes.make_split('val', 1, tmp_path, seed=1)
    name = 'val/000001.jpg'
    assert (tmp_path / name).read_bytes() != (data_root / name).read_bytes()


# The data set in mmdet


def test_train_pipeline_gives_base_labels_and_the_vocabulary(data_root):
    dataset = DATASETS.build(dataset_config(data_root, 'train'))
    assert isinstance(dataset, ShapesPanopticDataset) and len(dataset) == NUM_TRAIN
    assert dataset.metainfo['novel_classes'] == ()
    assert len(dataset.metainfo['palette']) == 18
    sample = dataset[0]['data_samples']
    assert sample.text[0] == 'red ball, red sphere, crimson ball, crimson sphere'
    assert (len(sample.text), len(sample.stuff_text)) == (12, 6)
    things = [segment for segment in dataset.get_data_info(0)['segments_info']
              if segment['is_thing']]
    assert sample.gt_instances.labels.tolist() == [segment['category'] for segment in things]
    assert len(sample.gt_instances.masks) == len(things)


def test_labels_are_things_first_and_name_the_right_class(data_root):
    dataset = DATASETS.build(dataset_config(data_root, 'val'))
    info = read(data_root, 'panoptic_val')['annotations'][7]['segments_info']
    sample = dataset[7]['data_samples']
    seg_map = sample.gt_sem_seg.sem_seg.numpy()
    areas = {}
    for segment in info:
        name = tuple(ALL_NAMES)[segment['category_id'] - 1]
        areas[name] = areas.get(name, 0) + segment['area']
    assert areas == {dataset.metainfo['classes'][label]: np.count_nonzero(seg_map == label)
                     for label in np.unique(seg_map)}
    assert set(dataset.metainfo['novel_classes']) == set(NOVEL_CLASSES)
    assert (len(sample.text), len(sample.stuff_text)) == (16, 8)


def test_regions_are_segments_with_the_names_of_their_class(data_root):
    config = Config.fromfile(ROOT / 'configs/_base_/datasets/shapes_regions.py')
    dataset = DATASETS.build(dict(
        config.train_dataloader.dataset, data_root=str(data_root), serialize_data=False))
    sample = dataset[0]['data_samples']
    annotation = read(data_root, 'panoptic_train')['annotations'][0]
    regions = dataset.get_data_info(0)['regions']
    assert len(regions) == len(annotation['segments_info'])
    names = {category['id']: category['name'] for category in
             read(data_root, 'panoptic_train')['categories']}
    for region, segment in zip(regions, annotation['segments_info'], strict=True):
        x, y, width, height = segment['bbox']
        name = names[segment['category_id']]
        assert region == dict(
            phrase=name, phrases=ALL_NAMES[name], bbox=[x, y, x + width, y + height])
    words = {name for region in regions for name in region['phrases']}
    assert len(sample.words) == len(sample.word_boxes) == 8 and set(sample.words) <= words


def test_missing_annotation_file_says_how_to_draw_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'panoptic_val\.json.*make_shapes data/shapes'):
        DATASETS.build(dataset_config(tmp_path, 'val'))


def test_split_that_does_not_fit_the_file_is_refused(data_root):
    config = dataset_config(data_root, 'train')
    config.split = 'all'
    with pytest.raises(ValueError, match=r"18 categories.*24 classes.*split='base'"):
        DATASETS.build(config)
    config.split = 'novel'
    with pytest.raises(ValueError, match=r"split='novel'.*'all', 'base'"):
        DATASETS.build(config)


def test_the_config_names_the_training_vocabulary():
    """The config spells it out, as one for other data would; labels are numbered by it."""
    config = Config.fromfile(ROOT / 'configs/_base_/datasets/shapes_panoptic.py')
    dataset = DATASETS.build({**config.train_dataloader.dataset, 'lazy_init': True})
    known = Vocabulary.from_metainfo(dataset.metainfo)
    trained = Vocabulary.from_metainfo(config.vocabulary)
    assert trained.class_names == known.class_names and trained.num_things == known.num_things
    for some, every in zip(trained.classes, known.classes, strict=True):
        assert set(some) <= set(every)
    assert len(known.names) - len(trained.names) == 21  # left for tests of other words
