"""COCO's instance annotations in other clothes, and what mask AP makes of them."""

import json

import numpy as np
import pytest
from pycocotools import mask as mask_utils

THINGS_ONLY = 'instances.json'


@pytest.fixture
def instances(small_set, small):
    """Instance annotations of the set, to be changed; ``write`` makes the file."""
    small_set.save()
    annotations = []
    for image_id, segments in small.SEGMENTS.items():
        for segment_id, name, rows, columns in segments:
            if name in small.THINGS:
                mask = np.asfortranarray(small_set.ids[image_id] == segment_id).astype(np.uint8)
                rle = mask_utils.encode(mask)
                annotations.append(dict(
                    id=len(annotations) + 1, image_id=image_id, iscrowd=0,
                    category_id=small.CATEGORY_IDS[name], area=int(mask.sum()),
                    bbox=mask_utils.toBbox(rle).tolist(),
                    segmentation=[[columns.start, rows.start, columns.stop, rows.start,
                                   columns.stop, rows.stop, columns.start, rows.stop]]))
    return dict(images=list(small_set.content['images']), annotations=annotations,
                categories=small_set.content['categories'][:2])


@pytest.fixture
def evaluate(small_set, instances):
    def run(**settings):
        path = small_set.root / THINGS_ONLY
        path.write_text(json.dumps(instances))
        return small_set.figures(
            'OpenVocabularyInstanceMetric', ann_file=str(path), seg_prefix=None, **settings)
    return run


def test_a_perfect_model(evaluate):
    assert evaluate()['coco/segm_mAP'] == 1


@pytest.mark.parametrize('fields', [('area', ), ('bbox', ), ('iscrowd', ), ('id', ),
                                    ('area', 'bbox', 'iscrowd', 'id')])
def test_fields_left_out(instances, evaluate, fields):
    for annotation in instances['annotations']:
        for field in fields:
            del annotation[field]
    assert evaluate()['coco/segm_mAP'] == 1


@pytest.mark.parametrize('start', [0, 1, 7])
def test_ids_of_annotations_do_not_matter(instances, evaluate, start):
    """COCO's evaluation takes an id of 0 for "no match"."""
    for number, annotation in enumerate(instances['annotations'], start=start):
        annotation['id'] = number
    assert evaluate()['coco/segm_mAP'] == 1


def test_double_ids(instances, evaluate):
    """As after two files were put together."""
    for annotation in instances['annotations']:
        annotation['id'] = 1
    assert evaluate()['coco/segm_mAP'] == 1


@pytest.mark.parametrize('order', [1, -1])
def test_categories_go_by_name(instances, evaluate, order):
    instances['categories'] = [dict(id=0, name='project'), *instances['categories'][::order]]
    assert evaluate()['coco/segm_mAP'] == 1


def test_a_category_0_is_one_like_others(instances, evaluate):
    for entry in (*instances['annotations'], *instances['categories']):
        key = 'category_id' if 'category_id' in entry else 'id'
        entry[key] = {7: 0, 3: 1}[entry[key]]
    assert evaluate()['coco/segm_mAP'] == 1


@pytest.mark.parametrize('compressed', [True, False])
def test_masks_as_run_lengths(instances, evaluate, small_set, compressed):
    for annotation in instances['annotations']:
        polygon = annotation['segmentation']
        rle = mask_utils.merge(mask_utils.frPyObjects(polygon, 24, 16))
        if compressed:
            rle['counts'] = rle['counts'].decode()
        else:
            flat = mask_utils.decode(rle).ravel(order='F')
            changes = np.flatnonzero(np.diff(np.concatenate([[0], flat, [2]])))
            rle['counts'] = np.diff(np.concatenate([[0], changes])).tolist()
        annotation['segmentation'] = rle
    assert evaluate()['coco/segm_mAP'] == 1


def test_images_without_sizes(instances, evaluate):
    instances['images'] = [dict(id=i['id'], file_name=i['file_name']) for i in instances['images']]
    assert evaluate()['coco/segm_mAP'] == 1


def test_images_of_another_size_are_refused(instances, evaluate):
    instances['images'][1] = dict(id=2, file_name='2.jpg', height=16, width=24)  # as stored
    with pytest.raises(ValueError, match=r'2\.jpg has 16 x 24 pixels, and by .*json 24 x 16'):
        evaluate()


@pytest.mark.parametrize(('change', 'message'), [
    (lambda c: c['annotations'][0].update(category_id=99), "'category_id' is not in 'categories'"),
    (lambda c: c['annotations'][0].pop('segmentation'), "annotations without 'segmentation'"),
    (lambda c: c['annotations'][0].update(segmentation=[]), "annotations without 'segmentation'"),
    (lambda c: c['annotations'][0].update(iscrowd='?'), "'iscrowd' is neither 0 nor 1"),
    (lambda c: c['categories'].append(dict(id=50, name='ball')), 'with the name of another'),
    (lambda c: c['categories'][0].update(name='Ball'), "'ball' is 'Ball'"),
    (lambda c: c['annotations'].clear(), "without 'annotations'"),
    (lambda c: c.pop('annotations'), "without 'annotations'"),
    (lambda c: c['images'].append(c['images'][0]), "'images' with the id of another")])
def test_what_is_wrong_is_refused_when_the_metric_is_built(
        instances, small_set, change, message):
    change(instances)
    path = small_set.root / THINGS_ONLY
    path.write_text(json.dumps(instances))
    with pytest.raises(ValueError, match=message):
        small_set.metric('OpenVocabularyInstanceMetric', ann_file=str(path), seg_prefix=None)


def test_polygons_without_an_area_are_left_out_and_told(instances, evaluate, log):
    instances['annotations'].append(
        dict(image_id=1, category_id=7, segmentation=[[1, 1, 2, 2]], id=50))
    assert evaluate()['coco/segm_mAP'] == 1
    assert 'annotations whose polygons have less than three points' in log.text


def test_annotations_of_images_that_are_not_listed_are_told(instances, evaluate, log):
    instances['annotations'].append(dict(instances['annotations'][0], image_id=99, id=50))
    assert evaluate()['coco/segm_mAP'] == 1
    assert "annotations of images that 'images' does not list: 99" in log.text


def test_images_that_are_tested_and_not_listed_are_refused(instances, evaluate):
    del instances['images'][1]
    instances['annotations'] = [a for a in instances['annotations'] if a['image_id'] != 2]
    with pytest.raises(ValueError, match=r'id 2 is tested, and .*instances\.json does not list it'):
        evaluate()


def test_figures_of_each_class_are_numbers(instances, evaluate):
    """A class of which nothing is annotated has none."""
    instances['annotations'] = [a for a in instances['annotations'] if a['category_id'] == 7]
    figures = evaluate(classwise=True)
    assert figures['coco/ball_precision'] == 1 and 'coco/box_precision' not in figures
    assert all(np.isfinite(value) for value in figures.values())
