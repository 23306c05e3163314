"""Each figure from the file that the field takes it from: ADE20K with 150 classes.

PQ: the panoptic files, with areas of before instances were pasted over stuff; mIoU: the semantic
maps, in the benchmark's order; AP: instances, whose file numbers images in its own way.
"""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.registry import METRICS
from mmengine.structures import InstanceData
from panopticapi.utils import rgb2id
from PIL import Image
from pycocotools import mask as mask_utils

import mmodise  # noqa: F401

TREES = Path(__file__).parents[3] / 'shared/trees'
OPEN = sorted(TREES.glob('*/ade20k_150')) or [None]
LAYOUTS = ('prepared_detectron2', 'prepared_mmdet')

pytestmark = [
    pytest.mark.skipif(not TREES.is_dir(), reason='needs ../shared'),
    pytest.mark.parametrize('tree', OPEN, ids=str)]


def read(tree, layout):
    """The annotation file, and the metainfo: things first."""
    content = json.loads((tree / layout / 'ade20k_panoptic_val.json').read_text())
    parts = [tuple(c['name'] for c in content['categories'] if c['isthing'] == isthing)
             for isthing in (1, 0)]
    return content, dict(classes=sum(parts, ()), thing_classes=parts[0], stuff_classes=parts[1])


def evaluate(metainfo, samples, **settings):
    metric = METRICS.build(settings)
    metric.dataset_meta = metainfo
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def maps(tree, layout, annotation):
    path = tree / layout / 'ade20k_panoptic_val' / annotation['file_name']
    return rgb2id(np.asarray(Image.open(path).convert('RGB')).astype(np.int64))


@pytest.mark.parametrize('layout', LAYOUTS)
def test_pq_of_a_prediction_that_equals_the_maps(tree, layout):
    content, metainfo = read(tree, layout)
    names = {c['id']: c['name'] for c in content['categories']}
    samples, counts = [], defaultdict(lambda: [0.0, 0, 0, 0])
    for annotation in content['annotations']:
        ids = maps(tree, layout, annotation)
        labels = np.full(ids.shape, len(names))
        for number, info in enumerate(annotation['segments_info'], start=1):
            label = metainfo['classes'].index(names[info['category_id']])
            pixels = int((ids == info['id']).sum())
            labels[ids == info['id']] = label + number * INSTANCE_OFFSET
            iou, count = pixels / info['area'], counts[label]
            is_found = iou > 0.5
            for place, value in enumerate((iou * is_found, is_found, pixels > 0 and not is_found,
                                           not is_found)):
                count[place] += value
        samples.append(dict(
            img_id=annotation['image_id'], img_path=f'{annotation["image_id"]}.jpg',
            pred_panoptic_seg=dict(sem_seg=torch.from_numpy(labels)[None])))
    expected = 100 * np.mean([iou / (tp + fp/2 + fn/2) for iou, tp, fp, fn in counts.values()])
    files = dict(type='CocoPanopticMetric',
                 ann_file=str(tree / layout / 'ade20k_panoptic_val.json'),
                 seg_prefix=str(tree / layout / 'ade20k_panoptic_val'))
    figures = evaluate(metainfo, samples, areas='file', **files)
    assert figures['coco_panoptic/PQ'] == pytest.approx(expected)
    if tree.parent.name == 'open':
        assert figures['coco_panoptic/PQ'] == pytest.approx(86.0, abs=0.05)
    assert evaluate(metainfo, samples, **files)['coco_panoptic/PQ'] == 100


def test_miou_from_the_semantic_maps(tree):
    """Labels are things first, values in the benchmark's order: labels go by name."""
    _, metainfo = read(tree, 'prepared_detectron2')
    answers = json.loads((tree / 'answers.json').read_text())
    order = answers['evaluated']['order_detectron2']
    classes = [name.strip() for name in metainfo['classes']]
    to_label = np.array([150, *(classes.index(name.strip()) for name in order)])
    folder = tree / 'ADEChallengeData2016/annotations/validation'
    samples, pixels = [], defaultdict(int)
    for path in sorted(folder.glob('*.png')):
        labels = to_label[np.asarray(Image.open(path))]
        samples.append(dict(img_id=path.stem, img_path=f'images/validation/{path.stem}.jpg',
                            pred_sem_seg=dict(sem_seg=torch.from_numpy(labels)[None])))
    for image in answers['images']:
        if 'validation' in image['file']:
            for name, count in image['semantic']['pixels'].items():
                pixels[name.strip()] += count
    metric = METRICS.build(dict(
        type='OpenVocabularySemanticMetric', seg_prefix=str(folder), names=order, label_offset=1))
    metric.dataset_meta = metainfo
    metric.process({}, samples)
    assert metric.evaluate(len(samples))['semantic/mIoU'] == 100
    assert {name.strip() for name in metric.per_class} == set(pixels)
    # cars as roads: the union of roads is larger, of cars nothing is right
    road, car = (next(i for i, name in enumerate(classes) if name.startswith(start))
                 for start in ('road', 'car'))
    cars, roads = pixels[classes[car]], pixels[classes[road]]
    for sample in samples:
        labels = sample['pred_sem_seg']['sem_seg']
        labels[labels == car] = road
    metric.process({}, samples)
    expected = 100 * (len(pixels) - 2 + roads / (roads + cars)) / len(pixels)
    assert metric.evaluate(len(samples))['semantic/mIoU'] == pytest.approx(expected, abs=0.01)


def test_ap_from_instances(tree, tmp_path):
    _, metainfo = read(tree, 'prepared_mmdet')
    images, annotations, samples = [], [], []
    folder = tree / 'ADEChallengeData2016/annotations_instance/validation'
    for number, path in enumerate(sorted(folder.glob('*.png')), start=1):
        values = np.asarray(Image.open(path)).astype(int)[..., :2]
        height, width = values.shape[:2]
        images.append(dict(id=number, file_name=f'{path.stem}.jpg', height=height, width=width))
        labels, masks = [], []
        for category, instance in np.unique(values.reshape(-1, 2), axis=0).tolist():
            if category == 0:
                continue
            mask = (values == (category, instance)).all(-1)
            rle = mask_utils.encode(np.asfortranarray(mask.astype(np.uint8)))
            annotations.append(dict(image_id=number, category_id=category,
                                    segmentation=dict(rle, counts=rle['counts'].decode())))
            labels.append(category - 1)
            masks.append(mask)
        samples.append(dict(
            img_id=path.stem, img_path=f'images/validation/{path.stem}.jpg',
            ori_shape=(height, width), pred_instances=InstanceData(
                labels=torch.tensor(labels, dtype=torch.long), scores=torch.ones(len(labels)),
                bboxes=torch.zeros(len(labels), 4),
                masks=torch.from_numpy(np.array(masks, bool).reshape(-1, height, width)))))
    categories = [dict(id=i, name=name) for i, name in enumerate(metainfo['thing_classes'], 1)]
    path = tmp_path / 'ade20k_instance_val.json'
    path.write_text(json.dumps(dict(
        images=images, annotations=annotations, categories=categories)))
    assert annotations
    figures = evaluate(
        metainfo, samples, type='OpenVocabularyInstanceMetric', ann_file=str(path))
    assert figures['coco/segm_mAP'] == 1
