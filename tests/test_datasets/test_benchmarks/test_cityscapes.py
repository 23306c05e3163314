"""Cityscapes: pictures that the file does not name, groups, what is not evaluated, train ids."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmodise.datasets.converters.cityscapes import STUFF, THINGS
from mmodise.datasets.converters.cityscapes_benchmark import prepare_cityscapes

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

KEY = 'ulm_000001_000019'
#: Of each column: value of the map of instances, label of the data set, train id.
COLUMNS = [(7, 8, 0), (26, 2, 13), (26000, 2, 13), (26001, 2, 13), (29000, 255, 255),
           (33003, 7, 18), (31, 5, 16), (0, 255, 255), (3, 255, 255), (23, 18, 10)]
PANOPTIC = 'gtFine/cityscapes_panoptic_val'


@pytest.fixture
def root(tmp_path):
    instances = np.array([[value for value, _, _ in COLUMNS]] * 2, np.uint16)
    labels = np.where(instances < 1000, instances, instances // 1000).astype(np.uint8)
    for city, key in (('ulm', KEY), ('bad-honnef', 'bad-honnef_000000_000001')):
        folder = tmp_path / 'gtFine/val' / city
        write_image(tmp_path / f'leftImg8bit/val/{city}/{key}_leftImg8bit.png', (2, 10, 3))
        write_image(folder / f'{key}_gtFine_instanceIds.png', instances)
        write_image(folder / f'{key}_gtFine_labelIds.png', labels)
    return tmp_path


def panoptic(root, split='val', **settings):
    name = f'cityscapes_panoptic_{split}'
    return build(
        'CityscapesPanopticDataset', root, dict(type='LoadPanopticAnnotations'),
        ann_file=f'gtFine/{name}.json',
        data_prefix=dict(img=f'leftImg8bit/{split}', seg=f'gtFine/{name}'), **settings)


def semantic(root, split='val', **settings):
    return build('CityscapesSemanticDataset', root, data_prefix=dict(
        img_path=f'leftImg8bit/{split}', seg_map_path=f'gtFine/{split}'), **settings)


def test_panoptic_annotations_are_as_the_field_makes_them(root):
    done = prepare_cityscapes(root)
    assert (done.counts, done.new) == (dict(val=2), 5)
    content = json.loads((root / f'{PANOPTIC}.json').read_text())
    assert content['images'][1] == dict(
        id=KEY, width=10, height=2, file_name=f'{KEY}_gtFine_leftImg8bit.png')
    assert [(c['id'], c['isthing']) for c in content['categories']][::10] == [(7, 0), (23, 0)]
    infos = content['annotations'][1]['segments_info']
    assert [(s['id'], s['category_id'], s['iscrowd']) for s in infos] == [
        (7, 7, 0), (23, 23, 0), (26, 26, 1), (31, 31, 1), (26000, 26, 0), (26001, 26, 0),
        (33003, 33, 0)]
    assert (infos[2]['area'], infos[2]['bbox']) == (2, [1, 0, 1, 2])
    colours = np.asarray(Image.open(root / PANOPTIC / f'{KEY}_gtFine_panoptic.png'))
    assert colours[0, 2].tolist() == [26000 % 256, 26000 // 256, 0] and not colours[0, 4].any()
    assert prepare_cityscapes(root, workers=2).new == 0


def test_pictures_are_found_by_id_and_city(root):
    prepare_cityscapes(root)
    dataset = panoptic(root)
    assert [Path(dataset.get_data_info(i)['img_path']).parent.name for i in range(2)] == [
        'bad-honnef', 'ulm']
    sample = dataset[1]['data_samples']
    labels = sample.gt_sem_seg.sem_seg[0, 0].tolist()
    assert labels == [label for _, label, _ in COLUMNS]
    assert dataset.metainfo['classes'][2] == 'car' and dataset.metainfo['classes'][8] == 'road'
    assert sample.gt_instances.labels.tolist() == [2, 2, 7], 'groups are no instances'


@pytest.mark.parametrize('kind', ['labelIds', 'labelTrainIds'])
def test_semantic_truth_is_the_same_by_ids_and_by_train_ids(root, kind):
    prepare_cityscapes(root)
    path = root / f'gtFine/val/ulm/{KEY}_gtFine_labelTrainIds.png'
    assert np.asarray(Image.open(path))[0].tolist() == [train_id for _, _, train_id in COLUMNS]
    dataset = semantic(root, seg_map_suffix=f'_gtFine_{kind}.png')
    sample = dataset[1]['data_samples']
    assert sample.img_id == f'ulm/{KEY}'
    assert sample.gt_sem_seg.sem_seg[0, 1].tolist() == [label for _, label, _ in COLUMNS]


def test_the_order_and_ids_of_the_file_decide_nothing(root):
    prepare_cityscapes(root)
    path = root / f'{PANOPTIC}.json'
    content = json.loads(path.read_text())
    order = [category['id'] for category in content['categories']]
    for category in content['categories'][::-1]:  # as with --use-train-id
        category['id'] = order.index(category['id'])
    for annotation in content['annotations']:
        for info in annotation['segments_info']:
            info['category_id'] = order.index(info['category_id'])
    content['categories'].reverse()
    path.write_text(json.dumps(content))
    assert panoptic(root)[1]['data_samples'].gt_sem_seg.sem_seg[0, 0].tolist() == [
        label for _, label, _ in COLUMNS]
    assert prepare_cityscapes(root).new == 0, 'it is of the same segments, and kept'
    assert json.loads(path.read_text()) == content


def test_a_file_of_other_maps_is_not_overwritten(root):
    prepare_cityscapes(root)
    written = [root / f'{PANOPTIC}.json', root / PANOPTIC / f'{KEY}_gtFine_panoptic.png']
    contents = [path.read_bytes() for path in written]
    instances = root / f'gtFine/val/ulm/{KEY}_gtFine_instanceIds.png'
    write_image(instances, np.full((2, 10), 7, np.uint16))
    with pytest.raises(ValueError, match=r'instanceIds\.png: 18 pixels are of other classes than'):
        prepare_cityscapes(root)
    write_image(root / f'gtFine/val/ulm/{KEY}_gtFine_labelIds.png', np.full((2, 10), 7, np.uint8))
    (root / f'gtFine/val/ulm/{KEY}_gtFine_labelTrainIds.png').unlink()
    with pytest.raises(ValueError, match=r'panoptic\.png is there, and holds something else'):
        prepare_cityscapes(root)
    assert [path.read_bytes() for path in written] == contents
    written[1].unlink()
    with pytest.raises(ValueError, match=r'val\.json is there and is not of the 2 maps'):
        prepare_cityscapes(root)
    assert written[0].read_bytes() == contents[0]


def test_folders_of_the_archives_become_the_layout(root):
    for name in ('gtFine', 'leftImg8bit'):
        (root / f'{name}_trainvaltest').mkdir()
        (root / name).rename(root / f'{name}_trainvaltest' / name)
    (root / 'gtFine_trainvaltest/gtFine/val/ulm/._x_gtFine_instanceIds.png').write_bytes(b'junk')
    write_image(root / 'leftImg8bit_trainvaltest/leftImg8bit/val/ulm/b_leftImg8bit.png', (2, 10, 3))
    done = prepare_cityscapes(root)
    assert (done.counts, done.new) == (dict(val=2), 2 * 5 + 1)
    (finding, ) = done.findings
    assert finding.examples == ['val/ulm/b'] and 'without a map of instances' in finding.what
    assert len(panoptic(root)) == len(semantic(root)) == 2, 'all that is evaluated on is there'


def test_what_is_missing_or_strange_is_named(root):
    write_image(root / f'gtFine/val/ulm/{KEY}_gtFine_labelIds.png', np.full((2, 10), 77, np.uint8))
    with pytest.raises(ValueError, match=rf'{KEY}_gtFine_labelIds\.png: 20 pixels have the value'):
        prepare_cityscapes(root)
    (root / f'leftImg8bit/val/ulm/{KEY}_leftImg8bit.png').unlink()
    with pytest.raises(FileNotFoundError, match='1 of 2 pictures are missing'):
        prepare_cityscapes(root)


def test_pq_by_hand(root):
    """Cars on a group and on void are no mistakes; a missed car and a truck that is none are."""
    prepare_cityscapes(root)
    dataset = panoptic(root)
    results = column_results(
        dataset, [8, (2, 1), (2, 2), (3, 1), (2, 3), (7, 1), 19, 10, 10, 18])
    figures = evaluate(dataset, results, type='CocoPanopticMetric', ann_file=str(
        root / f'{PANOPTIC}.json'), seg_prefix=str(root / PANOPTIC))
    # road, bicycle and sky 1, car 1 / 1.5, truck 0; of trains there is a group alone
    assert figures['coco_panoptic/PQ'] == pytest.approx(100 * (3 + 2 / 3) / 5)


def test_miou_by_hand(root):
    """A truck for a car, a bus for a train; groups count."""
    maps = semantic(root)
    results = column_results(maps, [8, 2, 2, 3, 2, 7, 4, 10, 10, 18])
    files = dict(seg_prefix=str(root / 'gtFine/val'), img_suffix='_leftImg8bit.png',
                 seg_map_suffix='_gtFine_labelIds.png', names={**THINGS, **STUFF})
    for truth in ({}, files):
        for rule, count in (('truth', 5), ('truth or prediction', 7)):
            figures = evaluate(maps, results, type='OpenVocabularySemanticMetric', mean_over=rule,
                               **truth)
            assert figures['semantic/mIoU'] == pytest.approx(100 * (3 + 2 / 3) / count, abs=0.01)


@trees('cityscapes')
def test_answers(tree, tmp_path):
    root = shutil.copytree(tree, tmp_path / 'tree')
    answers = read_answers(tree)
    ids = dict(sorted({**THINGS, **STUFF}.items()))
    assert [*ids.values()] == answers['evaluated']['order']
    assert [*ids] == answers['evaluated']['dataset_ids']
    assert [*THINGS.values()] == answers['evaluated']['things']
    field = [path for split in ('train', 'val') for path in
             (root / f'gtFine/cityscapes_panoptic_{split}').glob('*.png')]
    assert prepare_cityscapes(root).new == len(field), "train ids; the field's files are kept"
    for again in (False, True):
        for split in ('train', 'val'):
            if again:
                shutil.rmtree(root / f'gtFine/cityscapes_panoptic_{split}')
                (root / f'gtFine/cityscapes_panoptic_{split}.json').unlink()
                prepare_cityscapes(root, split=split)
            mine = {Path(item['file']).name.removesuffix('_leftImg8bit.png'): item
                    for item in answers['images'] if item['split'] == split}
            dataset, maps = panoptic(root, split), semantic(root, split)
            assert len(dataset) == len(maps) == len(mine)
            for index in range(len(dataset)):
                sample = dataset[index]['data_samples']
                item = mine[sample.img_id]
                assert read_segments_of(dataset, index) == answered_segments(item)
                assert count_pixels(dataset, index) == (
                    item['semantic']['pixels'], item['semantic']['void'])
                assert list(sample.ori_shape) == item['size'][::-1]
                item = mine[maps[index]['data_samples'].img_id.partition('/')[2]]
                assert count_pixels(maps, index) == (
                    item['semantic']['pixels'], item['semantic']['void'])
