"""LVIS's federated rule, by hand.

Pictures of 10 x 20 pixels; masks are columns, all rows. Classes: 1 cat (rare), 2 dog (common),
3 owl (frequent), 4 ant (frequent).

=====  ======================================  ===================================================
image  truth                                   detections, by score
=====  ======================================  ===================================================
10     cat 0-9; dog 10-19; owl absent;         cat 0-9 (0.9), cat 10-19 (0.95): not exhaustive
       cats are not exhaustive                 owl 0-9 (0.99): wrong; ant 0-9 (1.0): not judged
20     dog 0-9; owl 10-19                      dog 0-9 (0.5); dog 10-19 (0.8): wrong
                                               owl 10-17 (0.7): IoU 8/10; cat 0-9 (0.9): not judged
=====  ======================================  ===================================================

- cat: the first is ignored, AP 1.
- dog: 0.8 wrong, 0.5 right, one of two is found: precision 1/2 up to recall 0.5, at 51 of the 101
  recalls.
- owl: 0.99 wrong, 0.7 right at 7 of the 10 thresholds (0.5 to 0.8): precision 1/2 there.
- ant: nothing is annotated.
"""

import json
import re

import numpy as np
import pytest
import torch
from mmdet.registry import METRICS
from mmengine.structures import InstanceData

import mmodise  # noqa: F401

HEIGHT, WIDTH = 10, 20
NAMES = ('cat', 'dog', 'owl_(bird)', 'ant')
TRUTH = {10: [(1, 0, 10), (2, 10, 20)], 20: [(2, 0, 10), (3, 10, 20)]}
FOUND = {10: [(1, 0, 10, 0.9), (1, 10, 20, 0.95), (3, 0, 10, 0.99), (4, 0, 10, 1.0)],
         20: [(2, 0, 10, 0.5), (2, 10, 20, 0.8), (3, 10, 18, 0.7), (1, 0, 10, 0.9)]}
DOG = 51 / 101 / 2
OWL = 0.7 / 2


def mask(left, right):
    found = np.zeros((HEIGHT, WIDTH), bool)
    found[:, left:right] = True
    return found


@pytest.fixture
def content():
    images = [dict(id=key, height=HEIGHT, width=WIDTH, not_exhaustive_category_ids=[],
                   neg_category_ids=[], coco_url=f'http://of.coco/val2017/{key:012}.jpg')
              for key in TRUTH]
    images[0].update(neg_category_ids=[3], not_exhaustive_category_ids=[1])
    categories = [dict(id=i, name=name, frequency=f, synonyms=[name])
                  for i, (name, f) in enumerate(zip(NAMES, 'rcff', strict=True), start=1)]
    return dict(images=images, categories=categories[::-1], annotations=[
        dict(id=i, image_id=key, category_id=category, area=10.0 * (right - left),
             bbox=[left, 0, right - left, HEIGHT],
             segmentation=[[left, 0, right, 0, right, HEIGHT, left, HEIGHT]])
        for i, (key, category, left, right) in enumerate(
            (key, *instance) for key, instances in TRUTH.items() for instance in instances)])


def evaluate(tmp_path, content, found=FOUND, classes=NAMES, ids=None, **settings):
    path = tmp_path / 'lvis_v1_val.json'
    path.write_text(json.dumps(content))
    metric = METRICS.build(dict(type='LVISInstanceMetric', ann_file=str(path), **settings))
    metric.dataset_meta = dict(classes=classes)
    for key, instances in found.items():
        metric.process({}, [dict(
            img_id=(ids or {}).get(key, key), img_path=f'coco/val2017/{key:012}.jpg',
            ori_shape=(HEIGHT, WIDTH), pred_instances=InstanceData(
                labels=torch.tensor([c - 1 for c, *_ in instances], dtype=torch.long),
                scores=torch.tensor([i[3] for i in instances]),
                bboxes=torch.tensor([[left, 0, right, HEIGHT] for _, left, right, _ in instances],
                                    dtype=torch.float32).reshape(-1, 4),
                masks=torch.tensor(np.array([mask(*i[1:3]) for i in instances], bool).reshape(
                    -1, HEIGHT, WIDTH))))])
    return metric.evaluate(len(found)), metric


@pytest.mark.parametrize('kind', ['segm', 'bbox'])
def test_the_federated_rule(tmp_path, content, kind):
    figures, metric = evaluate(tmp_path, content, metric=kind)
    assert figures[f'lvis/{kind}_APr'] == pytest.approx(1)
    assert figures[f'lvis/{kind}_APc'] == pytest.approx(DOG)
    assert figures[f'lvis/{kind}_APf'] == pytest.approx(OWL)
    assert figures[f'lvis/{kind}_AP'] == pytest.approx((1 + DOG + OWL) / 3)
    assert figures[f'lvis/{kind}_AP50'] == pytest.approx((1 + DOG + 0.5) / 3)
    assert f'lvis/{kind}_APl' not in figures, 'nothing is large'
    (name, values), = metric.per_class['dog'].items()
    assert name == ('AP' if kind == 'segm' else 'box AP')
    assert values == pytest.approx(100 * DOG)
    assert list(metric.per_class) == list(NAMES[:3])


def test_detections_of_an_image_are_limited_whatever_their_classes(tmp_path, content):
    """Of image 10 ant (1.0) and owl (0.99) are left, of image 20 cat (0.9) and dog (0.8)."""
    figures, _ = evaluate(tmp_path, content, max_detections=2)
    assert [figures[f'lvis/segm_AP{key}'] for key in 'rcf'] == [0, 0, 0]


def test_nothing_found(tmp_path, content):
    figures, _ = evaluate(tmp_path, content, found={10: [], 20: []})
    assert figures['lvis/segm_AP'] == 0


def test_images_that_other_files_number_otherwise_are_found_by_name(tmp_path, content):
    figures, _ = evaluate(tmp_path, content, ids={10: '000000000010', 20: '000000000020'})
    assert figures['lvis/segm_AP'] == pytest.approx((1 + DOG + OWL) / 3)


def test_images_that_the_file_does_not_list_are_told(tmp_path, content):
    with pytest.raises(ValueError, match=re.escape('id 30 is tested')):
        evaluate(tmp_path, content, found={30: []})


def test_one_name_of_many_may_be_spelt_otherwise(tmp_path, content):
    """By id, if there are as many categories as classes and nearly all names are the same."""
    content['categories'] += [
        dict(id=i, name=f'name_{i}', frequency='c') for i in range(5, 204)]
    classes = ['cat', 'dog', 'owl (bird)', 'aunt', *(f'name {i}' for i in range(5, 204))]
    figures, metric = evaluate(tmp_path, content, classes=classes)
    assert figures['lvis/segm_AP'] == pytest.approx((1 + DOG + OWL) / 3)
    assert 'owl (bird)' in metric.per_class
    with pytest.raises(ValueError, match=r'that have another name'):
        evaluate(tmp_path, content, classes=[*classes[1:], 'cat'])


def test_ids_of_other_images_do_not_join(tmp_path, content):
    """Both files number from 1, in another order."""
    figures, _ = evaluate(tmp_path, content, ids={10: 20, 20: 10})
    assert figures['lvis/segm_AP'] == pytest.approx((1 + DOG + OWL) / 3)
