"""Best overlaps of annotated segments, on maps made by hand."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from mmodise.evaluation import ClassAgnosticMetric
from mmodise.evaluation.class_agnostic_metric import best_overlaps

META = dict(
    classes=('ball', 'box', 'sand'), thing_classes=('ball', 'box'), stuff_classes=('sand', ))
TRUTH = np.array([[1, 1, 2, 2, 3, 3],
                  [1, 1, 2, 2, 3, 3],
                  [4, 4, 4, 4, 3, 3],
                  [4, 4, 4, 4, 0, 0]])
VOID = 3


def write(folder, infos, truth=TRUTH, images=(1, )):
    for image_id in images:
        ids = np.stack([truth, truth * 0, truth * 0], -1).astype(np.uint8)
        Image.fromarray(ids).save(folder / f'{image_id}.png')
    (folder / 'panoptic.json').write_text(json.dumps(dict(
        images=[dict(id=i, file_name=f'{i}.jpg', height=4, width=6) for i in (1, 2)],
        annotations=[dict(image_id=i, file_name=f'{i}.png', segments_info=infos) for i in images],
        categories=[dict(id=i, name=name, isthing=int(i < 3))
                    for i, name in enumerate(META['classes'], start=1)])))


@pytest.fixture
def metric(tmp_path):
    write(tmp_path, [
        dict(id=1, category_id=1, iscrowd=0, area=4), dict(id=2, category_id=2, iscrowd=0, area=4),
        dict(id=3, category_id=2, iscrowd=1, area=6), dict(id=4, category_id=3, iscrowd=0, area=8)])
    metric = ClassAgnosticMetric(str(tmp_path / 'panoptic.json'), str(tmp_path))
    metric.dataset_meta = META
    return metric


def result(segments, image_id=1):
    panoptic = dict(sem_seg=torch.tensor(segments)[None], ignore_index=VOID)
    return dict(img_id=image_id, img_path=f'{image_id}.jpg', ori_shape=(4, 6),
                pred_panoptic_seg=panoptic)


# a "box" over the ball and half the box; sand on half of the sand and on void; the rest is void
PREDICTED = [[1001, 1001, 1001, 3, 3, 3],
             [1001, 1001, 1001, 3, 3, 3],
             [2, 2, 3, 3, 3, 3],
             [2, 2, 3, 3, 2, 2]]


def test_figures_by_hand(metric):
    metric.process({}, [result(PREDICTED)])
    figures = metric.evaluate(1)
    overlaps = dict(ball=4 / 6, box=2 / 8, sand=4 / 8)  # the sand on void does not count
    expected = dict(
        mBO=100 * sum(overlaps.values()) / 3, mBO_th=100 * (4 / 6 + 2 / 8) / 2, mBO_st=50,
        covering=100 * (4 * 4 / 6 + 4 * 2 / 8 + 8 / 2) / 16,
        covering_th=100 * (4 / 6 + 2 / 8) / 2, covering_st=50,
        recall50=100 / 3, recall50_th=50, recall50_st=0, segments=2)
    assert figures == pytest.approx({f'class_agnostic/{k}': v for k, v in expected.items()})


def test_names_do_not_matter(metric):
    renamed = torch.tensor(PREDICTED)
    renamed[renamed == 2], renamed[renamed == 1001] = 2000, 2
    metric.process({}, [result(renamed.tolist())])
    assert metric.evaluate(1)['class_agnostic/mBO_th'] == pytest.approx(100 * (4 / 6 + 2 / 8) / 2)


def test_nothing_predicted_is_no_overlap(metric):
    metric.process({}, [result([[VOID] * 6] * 4)])
    figures = metric.evaluate(1)
    assert figures['class_agnostic/mBO'] == 0 and figures['class_agnostic/segments'] == 0


def test_images_without_annotation_do_not_count(metric):
    metric.process({}, [result(PREDICTED), result([[VOID] * 6] * 4, image_id=2)])
    assert metric.evaluate(2)['class_agnostic/mBO_st'] == 50
    metric.process({}, [result(PREDICTED, image_id=2)])
    with pytest.raises(ValueError, match='none has an annotated segment'):
        metric.evaluate(1)


def test_things_alone(tmp_path):
    write(tmp_path, [dict(id=1, category_id=1, iscrowd=0, area=4)])
    metric = ClassAgnosticMetric(str(tmp_path / 'panoptic.json'), str(tmp_path))
    metric.dataset_meta = META
    metric.process({}, [result(PREDICTED)])  # all but the ball is void
    figures = metric.evaluate(1)
    assert figures['class_agnostic/mBO_th'] == figures['class_agnostic/mBO'] == 100
    assert not [key for key in figures if key.endswith('_st')]


def test_the_better_of_two_pieces_counts():
    from mmodise.datasets.panoptic.segments import Runs, Segments
    truth = Segments(Runs.of(np.ones((1, 8), int)), ({}, ), np.array([8]))
    overlaps = best_overlaps(truth, np.array([[1, 1, 1, 2, 2, 2, 2, 0]]))
    assert overlaps.tolist() == [0.5]
