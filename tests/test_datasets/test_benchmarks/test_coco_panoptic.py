"""COCO panoptic: two places of maps, captions in any order, crowds, segments of a pixel."""

import json
import shutil

import numpy as np
import pytest

from mmodise.datasets.converters.coco_benchmark import prepare_coco

from .conftest import (
    answered_segments,
    build,
    column_results,
    evaluate,
    read_answers,
    read_segments_of,
    trees,
    write_image,
)

IDS = {7: 1, 9: 200, 11: 184, 13: 90}  # segments: person, rug-merged, tree-merged, toothbrush


@pytest.fixture(params=['annotations/panoptic_val2017', 'panoptic_val2017'])
def root(request, tmp_path):
    ids = np.array([[*IDS, 0]] * 2)
    write_image(tmp_path / request.param / '000000000139.png',
                np.stack([ids, ids * 0, ids * 0], -1).astype(np.uint8))
    write_image(tmp_path / 'val2017/000000000139.jpg', (2, 5))  # grey
    image = dict(id=139, file_name='000000000139.jpg', height=2, width=5)
    infos = [dict(id=i, category_id=category, area=2, bbox=[x, 0, 1, 2], iscrowd=int(x == 0))
             for x, (i, category) in enumerate(IDS.items())]
    names = {1: 'person', 90: 'toothbrush', 184: 'tree-merged', 200: 'rug-merged'}
    categories = [dict(id=i, name=name, isthing=int(i < 91)) for i, name in names.items()]
    folder = tmp_path / 'annotations'
    folder.mkdir(exist_ok=True)
    (folder / 'panoptic_val2017.json').write_text(json.dumps(dict(
        images=[image], categories=categories[::-1], annotations=[dict(
            image_id=139, file_name='000000000139.png', segments_info=infos)])))
    (folder / 'instances_val2017.json').write_text(json.dumps(dict(
        images=[image], categories=categories[:2], annotations=[])))
    captions = ['a rug below the tree', 'The toothbrush is\non a rug. ']
    (folder / 'captions_val2017.json').write_text(json.dumps(dict(
        images=[image, dict(id=999999)], annotations=[
            *(dict(id=i, image_id=139, caption=text) for i, text in enumerate(captions)),
            dict(id=5, image_id=999999, caption='the image that has no masks')])))
    return tmp_path


def data_set(root, split='val2017'):
    return build(
        'COCOPanopticBenchmark', root, dict(type='LoadPanopticAnnotations'),
        ann_file=f'annotations/panoptic_{split}.json',
        data_prefix=dict(img=split, seg=f'annotations/panoptic_{split}'),
        caption_file=f'annotations/captions_{split}.json')


def test_maps_are_found_in_both_places(root):
    dataset = data_set(root)
    sample = dataset[0]['data_samples']
    assert sample.gt_sem_seg.sem_seg[0, 0].tolist() == [0, 132, 116, 79, 255]
    assert sample.gt_instances.labels.tolist() == [79], 'a crowd is no instance'
    assert (sample.text[0].split(',')[0], len(sample.text), len(sample.stuff_text)) == (
        'person', 80, 53)
    assert sorted(dataset.get_data_info(0)['captions']) == [
        'The toothbrush is\non a rug. ', 'a rug below the tree']


def test_maps_are_brought_to_one_place(root):
    other = (root / 'panoptic_val2017').is_dir()
    done = prepare_coco(root)
    assert (done.counts, done.new, list(done.findings)) == (dict(val2017=1), int(other), [])
    assert (root / 'annotations/panoptic_val2017/000000000139.png').is_file()
    assert prepare_coco(root, workers=2).new == 0
    (root / 'annotations/captions_val2017.json').unlink()
    assert 'captions' in prepare_coco(root).findings[0].what


def test_what_does_not_go_together_is_named(root):
    maps = root / 'annotations/panoptic_val2017'
    maps = maps if maps.is_dir() else root / 'panoptic_val2017'
    write_image(maps / '000000000139.png', (3, 5, 3))
    with pytest.raises(ValueError, match=r'139\.jpg has 5 x 2 pixels, .*139\.png 5 x 3'):
        prepare_coco(root)
    instances = root / 'annotations/instances_val2017.json'
    instances.write_text(instances.read_text().replace('"id": 139', '"id": 140'))
    with pytest.raises(ValueError, match=r'1 images of .* such as 139, are not listed'):
        prepare_coco(root)
    (root / 'val2017/000000000139.jpg').unlink()
    with pytest.raises(FileNotFoundError, match='1 of 1 pictures are missing'):
        prepare_coco(root)


def test_maps_hold_the_segments_that_the_file_lists(root):
    path = root / 'annotations/panoptic_val2017.json'
    content = json.loads(path.read_text())
    for info in content['annotations'][0]['segments_info']:
        info['id'] += 100
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'139\.png .* holds none of the 4 segments'):
        prepare_coco(root)
    content['images'][0]['width'] = 50
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'139\.jpg has 5 x 2 pixels, and was annotated at 50 x 2'):
        prepare_coco(root)


@pytest.mark.parametrize(('toothbrush', 'expected'), [((79, 1), 100), (133, 200 / 3)])
def test_pq_by_hand(root, toothbrush, expected):
    """A person in a crowd is no mistake; a toothbrush that is missed is."""
    prepare_coco(root)
    dataset = data_set(root)
    figures = evaluate(
        dataset, column_results(dataset, [(0, 1), 132, 116, toothbrush, (0, 2)]),
        type='CocoPanopticMetric', ann_file=str(root / 'annotations/panoptic_val2017.json'),
        seg_prefix=str(root / 'annotations/panoptic_val2017'))
    assert figures['coco_panoptic/PQ'] == pytest.approx(expected)


@trees('coco_panoptic')
@pytest.mark.parametrize('detectron2', [False, True])
def test_answers(tree, detectron2, tmp_path):
    root = shutil.copytree(tree, tmp_path / 'tree')
    answers = read_answers(tree)
    for split in answers['images_per_split']:
        if detectron2:
            (root / f'annotations/panoptic_{split}').rename(root / f'panoptic_{split}')
        mine = {int(item['file'].rpartition('/')[2][:-4]): item for item in answers['images']
                if item['split'] == split}
        dataset = data_set(root, split)
        assert list(dataset.metainfo['classes']) == answers['evaluated']['order']
        assert len(dataset) == len(mine)
        for index in range(len(mine)):
            info, sample = dataset.get_data_info(index), dataset[index]
            item = mine[info['img_id']]
            assert read_segments_of(dataset, index) == answered_segments(item)
            assert sorted(info['captions']) == sorted(item['captions'])
            assert list(sample['data_samples'].ori_shape) == item['size'][::-1]
            assert sample['inputs'].shape[0] == 3, 'grey pictures too'
    assert prepare_coco(root).counts == answers['images_per_split']
