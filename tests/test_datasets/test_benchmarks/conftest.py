"""Trees of data sets as they are downloaded, drawn small."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.registry import DATASETS, METRICS
from mmengine.structures import InstanceData
from PIL import Image
from pycocotools.coco import COCO

from mmodise.utils.masks import bounding_box

TREES = Path(__file__).parents[4] / 'shared/trees'


def trees(name):
    """A mark that runs a test on each tree of a data set, or skips it without any."""
    found = sorted(TREES.glob(f'*/{name}'))
    return pytest.mark.parametrize(
        'tree', found or [pytest.param(None, marks=pytest.mark.skip('needs ../shared'))],
        ids=lambda tree: tree.parent.name if tree else 'none')


def read_answers(tree):
    return json.loads((tree / 'answers.json').read_text())


def write_image(path, pixels):
    """Write pixels, (H, W) or (H, W, 3), or a size (height, width) of grey ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full(pixels, 99, np.uint8) if isinstance(pixels, tuple) else np.asarray(pixels)
    Image.fromarray(pixels).save(path)


def build(kind, root, load='LoadSemanticMap', **settings):
    """A data set whose samples have their annotations at the original size."""
    pipeline = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=(64, 32)),
                dict(type=load) if isinstance(load, str) else load,
                dict(type='PackDetInputs', meta_keys=(
                    'img_id', 'img_path', 'ori_shape', 'text', 'stuff_text'))]
    return DATASETS.build(dict(
        type=kind, data_root=str(root), return_classes=True, serialize_data=False,
        pipeline=pipeline, test_mode=True, **settings))


def count_pixels(dataset, index, void=255):
    """Pixels of each class of a sample by its name, and those of void."""
    labels = dataset[index]['data_samples'].gt_sem_seg.sem_seg[0].numpy()
    names = dataset.metainfo['classes']
    values, counts = np.unique(labels, return_counts=True)
    found = dict(zip(values.tolist(), counts.tolist(), strict=True))
    nothing = found.pop(void, 0)
    return {names[label]: count for label, count in found.items()}, nothing


def read_segments_of(dataset, index):
    """Segments of a sample, (name, area, box, iscrowd) each, sorted; and the pixels of void."""
    info = dataset.get_data_info(index)
    rgb = np.asarray(Image.open(info['seg_map_path'])).astype(int)
    ids, names = rgb @ [1, 256, 65536], dataset.metainfo['classes']
    num_things, found = len(dataset.metainfo['thing_classes']), []
    for segment in info['segments_info']:
        rows, columns = np.nonzero(ids == segment['id'])
        box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
        crowd = segment['category'] < num_things and not segment['is_thing']
        found.append((names[segment['category']], len(rows), tuple(map(int, box)), int(crowd)))
    return sorted(found), int((ids == 0).sum())


def answered_segments(item):
    """What :func:`read_segments_of` should find."""
    return sorted((s['name'], s['area'], tuple(s['bbox']), s['iscrowd'])
                  for s in item['segments']), item['panoptic_void']


def read_instances(path):
    """Of each image of an instance file: name, area and box of its objects, as its masks are."""
    coco = COCO(str(path))
    found = {image_id: [] for image_id in coco.getImgIds()}
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation).astype(bool)
        assert (annotation['area'], annotation['bbox']) == (mask.sum(), bounding_box(mask))
        found[annotation['image_id']].append((
            coco.cats[annotation['category_id']]['name'], annotation['area'], annotation['bbox']))
    return {image_id: sorted(objects) for image_id, objects in found.items()}


def answered_instances(item):
    """What :func:`read_instances` should find."""
    return sorted((each['name'], each['area'], each['bbox']) for each in item['instances'])


def evaluate(dataset, samples, **settings):
    """Figures of a metric for samples of a data set."""
    metric = METRICS.build(settings)
    metric.dataset_meta = dataset.metainfo
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def column_results(dataset, columns):
    """Results of all images: each column of pixels of one label, or of (label, instance)."""
    results = []
    for index in range(len(dataset)):
        sample = dataset[index]['data_samples']
        height = sample.ori_shape[0]
        values = [c if isinstance(c, int) else c[0] + c[1] * INSTANCE_OFFSET for c in columns]
        panoptic = torch.tensor(values)[None, None].repeat(1, height, 1)
        results.append(dict(
            sample.metainfo, gt_sem_seg=dict(sem_seg=sample.gt_sem_seg.sem_seg),
            pred_panoptic_seg=dict(sem_seg=panoptic),
            pred_sem_seg=dict(sem_seg=panoptic % INSTANCE_OFFSET)))
    return results


def found_instance(sample, labels, masks, scores):
    """A result with instances, masks of (H, W)."""
    return dict(sample.metainfo, pred_instances=InstanceData(
        labels=torch.tensor(labels), scores=torch.tensor(scores),
        bboxes=torch.zeros(len(labels), 4), masks=torch.from_numpy(np.array(masks, bool))))
