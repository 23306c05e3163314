"""LVIS: pictures by URL, labels by id, classes that are absent or not annotated throughout."""

import json
import shutil

import numpy as np
import pytest
from mmdet.datasets import LVISV1Dataset
from pycocotools import mask as mask_utils

from mmodise.datasets.converters.lvis import prepare_lvis
from mmodise.vocabulary import Vocabulary

from .conftest import build, evaluate, found_instance, read_answers, trees, write_image

NAMES = LVISV1Dataset.METAINFO['classes']
POLYGON = [[1, 1, 5, 1, 5, 3, 1, 3]]


@pytest.fixture
def root(tmp_path):
    categories = [
        dict(id=i, name=name, frequency='rcf'[i % 3], synonyms=[name])
        for i, name in enumerate(NAMES, start=1)]
    categories[654].update(name='speaker_(stero_equipment)', synonyms=['speaker_x', 'loudspeaker'])
    images = [dict(id=i, height=4, width=8, neg_category_ids=[5, 2],
                   not_exhaustive_category_ids=[7],
                   coco_url=f'http://images.cocodataset.org/{split}/{i:012}.jpg')
              for i, split in ((9, 'train2017'), (4, 'val2017'))]
    for split, i in (('train2017', 9), ('val2017', 4)):
        write_image(tmp_path / f'coco/{split}/{i:012}.jpg', (4, 8, 3))
    annotations = [dict(id=i, image_id=9, category_id=category, area=8.0, bbox=[1, 1, 4, 2],
                        segmentation=POLYGON) for i, category in enumerate((655, 1203, 1))]
    (tmp_path / 'lvis').mkdir()
    (tmp_path / 'lvis/lvis_v1_val.json').write_text(json.dumps(dict(
        images=images, categories=categories[::-1], annotations=annotations)))
    return tmp_path


def data_set(root, split='val'):
    return build('LVISBenchmark', root, dict(type='LoadAnnotations', with_bbox=True),
                 ann_file=f'lvis/lvis_v1_{split}.json', data_prefix=dict(img='coco'))


def edit(root, change):
    path = root / 'lvis/lvis_v1_val.json'
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_labels_go_by_id_and_pictures_by_url(root):
    dataset = data_set(root)
    first, second = map(dataset.get_data_info, range(2))
    assert first['img_path'].endswith('val2017/000000000004.jpg') and not first['instances']
    assert second['img_path'].endswith('train2017/000000000009.jpg')
    assert [i['bbox_label'] for i in second['instances']] == [654, 1202, 0]
    assert (second['neg_labels'], second['not_exhaustive_labels']) == ([1, 4], [6])
    assert dataset.metainfo['frequencies'][:4] == ('c', 'f', 'r', 'c')
    sample = dataset[1]['data_samples']
    assert len(sample.text) == 1203 and sample.gt_instances.labels.tolist() == [654, 1202, 0]
    assert '_' not in ''.join(sample.text)


def test_classes_are_written_with_synonyms(root):
    done = prepare_lvis(root)
    assert (done.counts, done.new) == (dict(val=2), 1)
    lines = (root / 'lvis/classes.txt').read_text().splitlines()
    assert lines[654] == '655:speaker (stero equipment),speaker x,loudspeaker'
    assert len(lines) == 1203 and prepare_lvis(root / 'lvis').new == 0
    vocabulary = Vocabulary.from_file(root / 'lvis/classes.txt')
    assert len(vocabulary.things) + len(vocabulary.stuff) == 1203


@pytest.mark.parametrize(('change', 'message'), [
    (lambda c: c['categories'].pop(), 'it has 1202 categories, expected the 1203'),
    (lambda c: c['images'][0].update(width=9), '8 x 4 pixels, and was annotated at 9 x 4'),
    (lambda c: c['images'][0].pop('neg_category_ids'), "image 9 has no 'neg_category_ids'"),
    (lambda c: c['annotations'][0].update(image_id=1), 'its image 1 is not listed'),
    (lambda c: c['annotations'][0].update(category_id=1204), 'category_id 1204, expected 1 to'),
    (lambda c: c['images'][0].pop('coco_url'), "image 9 has no 'coco_url'")])
def test_what_is_wrong_is_named(root, change, message):
    edit(root, change)
    with pytest.raises(ValueError, match=message):
        prepare_lvis(root)


def test_missing_pictures_are_counted(root):
    (root / 'coco/train2017/000000000009.jpg').unlink()
    for use in (data_set, prepare_lvis):
        with pytest.raises(FileNotFoundError, match=r'1 of 2 .*000000000009\.jpg'):
            use(root)


@pytest.mark.parametrize(('change', 'expected'), [
    (lambda found: found['annotations'].append(found['annotations'][0]),
     "2 entries of 'annotations' have the id 0"),
    (lambda found: found['images'].append(found['images'][0]), "2 entries of 'images' have the id"),
    (lambda found: found['annotations'][1].pop('segmentation'),
     "annotation 1: 'segmentation' is None"),
    (lambda found: found['images'][0]['neg_category_ids'].append(1204),
     "image 9 has the category 1204 in 'neg_category_ids'")])
def test_files_that_were_put_together_or_lack_something(root, change, expected):
    edit(root, change)
    with pytest.raises(ValueError, match=expected):
        prepare_lvis(root)


def test_words_of_the_user_stay_and_run_lengths_are_masks(root):
    def change(content):
        runs = mask_utils.merge(mask_utils.frPyObjects(POLYGON, 4, 8))
        content['annotations'][0]['segmentation'] = dict(runs, counts=runs['counts'].decode())
        content['categories'][0].pop('synonyms')
    edit(root, change)
    assert prepare_lvis(root).new == 1
    path = root / 'lvis/classes.txt'
    path.write_text(path.read_text() + '# mine')
    assert prepare_lvis(root).new == 0 and path.read_text().endswith('# mine')


def test_ap_by_hand(root):
    """Two of three classes are found; the rare one is missed."""
    dataset = data_set(root)
    mask = mask_utils.decode(mask_utils.merge(mask_utils.frPyObjects(POLYGON, 4, 8)))
    empty, sample = (dataset[i]['data_samples'] for i in range(2))
    results = [found_instance(sample, [654, 0], [mask] * 2, [0.9, 0.8]),
               found_instance(empty, [50], [np.ones((4, 8))], [0.99])]  # not judged there
    figures = evaluate(dataset, results, type='LVISInstanceMetric',
                       ann_file=str(root / 'lvis/lvis_v1_val.json'))
    assert figures['lvis/segm_AP'] == pytest.approx(2 / 3, abs=1e-3)
    assert figures['lvis/segm_APr'] == 0 and figures['lvis/segm_APc'] == pytest.approx(1)


@trees('lvis')
def test_answers(tree, tmp_path):
    root = shutil.copytree(tree, tmp_path / 'tree')
    answers = read_answers(tree)
    for split in answers['images_per_split']:
        dataset = data_set(root, split)
        mine = {item['file']: item for item in answers['images'] if item['split'] == split}
        found = {}
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            size, names = (info['height'], info['width']), dataset.metainfo['classes']
            item = mine[info['img_path'].removeprefix(f'{root}/')]
            masks = [mask_utils.merge(mask_utils.frPyObjects(i['mask'], *size))
                     for i in info['instances']]
            found[info['img_path']] = sorted(
                (i['bbox_label'] + 1, int(mask_utils.area(mask)),
                 dataset.metainfo['frequencies'][i['bbox_label']],
                 list(map(int, mask_utils.toBbox(mask))))
                for i, mask in zip(info['instances'], masks, strict=True))
            assert found[info['img_path']] == sorted(
                (i['category_id'], i['area'], i['frequency'], i['bbox'])
                for i in item['instances'])
            for key, labels in (('negative', info['neg_labels']),
                                ('not_exhaustive', info['not_exhaustive_labels'])):
                assert [names[label] for label in labels] == sorted(item[key], key=names.index)
            assert list(dataset[index]['data_samples'].ori_shape) == item['size'][::-1]
        assert len(found) == len(mine)
    counts = [dataset.metainfo['frequencies'].count(key) for key in 'rcf']
    assert counts == list(answers['evaluated']['frequency_counts'].values())
    assert prepare_lvis(root).counts == answers['images_per_split']
