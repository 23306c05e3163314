"""Mapillary Vistas: two packages, classes in mixed order, keys that begin with a dash."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mmodise.datasets.benchmarks.mapillary import NAMES, THINGS
from mmodise.datasets.converters.mapillary import prepare_mapillary

from .conftest import (
    answered_segments,
    build,
    column_results,
    count_pixels,
    evaluate,
    read_answers,
    read_segments_of,
    trees,
    write_image,
)

KEY = '--jRsD9anHdGxv4ZOabcdA'
#: Values of the maps, and labels by hand: crosswalk, car and road; ego vehicle; void.
COLUMNS = {8: 2, 55: 30, 13: 47, 64: 64, 65: 255}


@pytest.fixture(params=['', 'v1.2/'])
def root(request, tmp_path):
    maps = tmp_path / 'validation' / request.param
    values = np.array([list(COLUMNS)] * 2)
    write_image(tmp_path / f'validation/images/{KEY}.jpg', (2, 5, 3))
    write_image(maps / f'labels/{KEY}.png', values.astype(np.uint8))
    write_image(maps / f'instances/{KEY}.png', (values * 256 + 1).astype(np.uint16))
    infos = [dict(id=7 + value, category_id=value + 1, area=2, bbox=[x, 0, 1, 2], iscrowd=0)
             for x, value in enumerate(COLUMNS) if value != 65]
    ids = np.where(values == 65, 0, values + 7)
    write_image(maps / f'panoptic/{KEY}.png',
                np.stack([ids, ids * 0, ids * 0], -1).astype(np.uint8))
    (maps / 'panoptic/panoptic_2018.json').write_text(json.dumps(dict(
        images=[dict(id=KEY, file_name=f'{KEY}.jpg', width=5, height=2)],
        annotations=[dict(image_id=KEY, file_name=f'{KEY}.png', segments_info=infos)],
        categories=[dict(id=i + 1, name=name, isthing=int(name in THINGS))
                    for i, name in enumerate(NAMES)])))
    labels = [dict(name='a--b', readable=name, evaluate=name != 'Unlabeled')
              for name in (*NAMES, 'Unlabeled')]
    (tmp_path / 'config_v1.2.json').write_text(json.dumps(dict(labels=labels)))
    return tmp_path


def panoptic(root, split='validation'):
    return build(
        'MapillaryPanopticDataset', root, dict(type='LoadPanopticAnnotations'),
        ann_file=f'{split}/panoptic/panoptic_2018.json',
        data_prefix=dict(img=f'{split}/images', seg=f'{split}/panoptic'))


def semantic(root, split='validation'):
    return build('MapillarySemanticDataset', root, data_prefix=dict(
        img_path=f'{split}/images', seg_map_path=f'{split}/labels'))


def test_labels_are_things_first_in_both_packages(root):
    for dataset in (panoptic(root), semantic(root)):
        sample = dataset[0]['data_samples']
        assert sample.img_id == KEY and dataset.metainfo['classes'][64] == 'Ego Vehicle'
        assert sample.gt_sem_seg.sem_seg[0, 0].tolist() == list(COLUMNS.values())
        assert (sample.text[2], sample.stuff_text[47 - 37]) == ('plain crosswalk', 'road')
    assert panoptic(root)[0]['data_samples'].gt_instances.labels.tolist() == [2, 30]


def test_one_layout_is_made_of_both(root):
    nested = (root / 'validation/v1.2').is_dir()
    assert prepare_mapillary(root).new == (4 if nested else 0)
    assert (root / f'validation/labels/{KEY}.png').is_file()
    assert prepare_mapillary(root, workers=2).new == 0
    out = root / 'other'
    assert prepare_mapillary(root, out).counts == dict(validation=1)
    shutil.rmtree(root / 'validation')
    assert panoptic(out)[0]['data_samples'].gt_sem_seg.sem_seg[0, 0, 1] == 30


def test_another_version_is_refused(root):
    config = root / 'config_v1.2.json'
    content = json.loads(config.read_text())
    content['labels'].insert(2, dict(readable='Ambiguous Barrier', evaluate=True))
    config.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"66 classes are evaluated.*'Ambiguous Barrier'"):
        prepare_mapillary(root)


def test_maps_that_do_not_go_together_are_named(root):
    maps = root / 'validation/v1.2' if (root / 'validation/v1.2').is_dir() else root / 'validation'
    write_image(maps / f'instances/{KEY}.png', np.full((2, 5), 256, np.uint16))
    with pytest.raises(ValueError, match=r'instances/.*not of the same classes as .*labels'):
        prepare_mapillary(root)
    write_image(maps / f'labels/{KEY}.png', np.full((2, 5), 66, np.uint8))
    with pytest.raises(ValueError, match='10 pixels have the value 66; expected labels from 0'):
        prepare_mapillary(root)
    (maps / f'labels/{KEY}.png').unlink()
    with pytest.raises(FileNotFoundError, match='1 of 1 maps are missing'):
        prepare_mapillary(root)


def test_areas_and_pictures_that_are_only_told(root):
    """PQ takes areas from the file, and looks at the pictures that it lists."""
    prefix = 'v1.2/' if (root / 'validation/v1.2').is_dir() else ''
    path = root / f'validation/{prefix}panoptic/panoptic_2018.json'
    content = json.loads(path.read_text())
    content['annotations'][0]['segments_info'][0]['area'] = 9
    path.write_text(json.dumps(content))
    write_image(root / 'validation/images/more.jpg', (2, 5, 3))
    write_image(root / f'validation/{prefix}labels/more.png', np.zeros((2, 5), np.uint8))
    write_image(root / f'validation/{prefix}labels/alone.png', np.zeros((2, 5), np.uint8))
    told = {finding.what.partition(' ')[0]: finding.examples[0]
            for finding in prepare_mapillary(root).findings}
    assert told['pictures'] == 'more' and told['maps'] == 'alone'
    assert f'{KEY}.png: 9 of segment' in told['segments']
    content['images'][0]['file_name'] = 'x.jpg'
    path.write_text(json.dumps(content))
    with pytest.raises(FileNotFoundError, match=r'1 of 1 pictures that .* lists are miss.*x\.j'):
        prepare_mapillary(root)


def test_figures_by_hand(root):
    """A bus for the car; what is found on void does not count."""
    dataset, maps = panoptic(root), semantic(root)
    bus = THINGS.index('Bus')
    columns = [(2, 1), (bus, 1), 47, 64, (30, 1)]
    prepare_mapillary(root)
    figures = evaluate(
        dataset, column_results(dataset, columns), type='CocoPanopticMetric',
        ann_file=str(root / 'validation/panoptic/panoptic_2018.json'),
        seg_prefix=str(root / 'validation/panoptic'))
    assert figures['coco_panoptic/PQ'] == pytest.approx(60)
    labels = str(root / 'validation/labels')
    for truth in ({}, dict(seg_prefix=labels, names=dict(enumerate(NAMES)))):
        figures = evaluate(maps, column_results(maps, columns),
                           type='OpenVocabularySemanticMetric', **truth)
        assert figures['semantic/mIoU'] == 75


@trees('mapillary')
@pytest.mark.parametrize('nested', [False, True])
def test_answers(tree, nested, tmp_path):
    root = shutil.copytree(tree, tmp_path / 'tree')
    answers = read_answers(tree)
    assert list(NAMES) == answers['evaluated']['order']
    for split in answers['images_per_split']:
        if nested and not (root / split / 'v1.2').is_dir():
            for kind in ('labels', 'instances', 'panoptic'):
                (root / split / 'v1.2').mkdir(exist_ok=True)
                (root / split / kind).rename(root / split / 'v1.2' / kind)
        mine = {Path(item['file']).stem: item for item in answers['images']
                if item['split'] == split}
        dataset, maps = panoptic(root, split), semantic(root, split)
        assert list(dataset.metainfo['classes'][:37]) == answers['evaluated']['things']
        assert list(dataset.metainfo['classes'][37:]) == answers['evaluated']['stuff']
        assert len(dataset) == len(maps) == len(mine)
        for index in range(len(mine)):
            sample = dataset[index]['data_samples']
            item = mine[sample.img_id]
            assert read_segments_of(dataset, index) == answered_segments(item)
            assert list(sample.ori_shape) == item['size'][::-1]
            item = mine[maps[index]['data_samples'].img_id]
            assert count_pixels(maps, index) == (
                item['semantic']['pixels'], item['semantic']['void'])
    assert prepare_mapillary(root).counts == answers['images_per_split']
