"""Predictions by hand, whose figures are known, on data sets with their own metrics."""

import numpy as np
import pytest
import torch
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.registry import METRICS
from PIL import Image

from mmodise.datasets.converters.ade20k_150 import prepare_ade20k_150

from .conftest import build, write_image

# Of each data set: its settings, the dtype of its maps, and the value that is void.
SEMANTIC = {
    'PascalVOC20Dataset': ({}, np.uint8, 255), 'PascalVOC21Dataset': ({}, np.uint8, 255),
    'PascalContext59Dataset': ({}, np.uint8, 255),
    'PascalContext459Dataset': ({}, np.uint16, 65535),
    'ADE20KFullDataset': ({}, np.uint16, 65535),
    'ADE20KSemanticBenchmark': (dict(zero_is_void=False), np.uint8, 255)}


def evaluate(dataset, settings, predictions):
    """The figures of a metric for what is predicted of each sample."""
    metric = METRICS.build(settings)
    metric.dataset_meta = dataset.metainfo
    for index, predicted in enumerate(predictions):
        sample = dataset[index]['data_samples']
        metric.process({}, [dict(sample.to_dict(), **predicted)])
    return metric.evaluate(len(dataset))


@pytest.mark.parametrize('kind', SEMANTIC)
def test_miou_of_maps_of_classes(kind, tmp_path):
    """Two classes with truth: 3 of 4 pixels and 2 of 3; void and a class without truth."""
    settings, dtype, void = SEMANTIC[kind]
    (tmp_path / 'annotations_ctx459').mkdir()
    (tmp_path / 'annotations_ctx459/classes.txt').write_text(
        ''.join(f'{i}:name{i}\n' for i in range(459)))
    suffix = '.tif' if dtype == np.uint16 else '.png'
    values = np.array([[0, 0, 0, 0, 5, 5, void, void]], dtype)
    write_image(tmp_path / f'maps/a{suffix}', values)
    write_image(tmp_path / 'images/a.jpg', (*values.shape, 3))
    dataset = build(kind, tmp_path, data_prefix=dict(img_path='images', seg_map_path='maps'),
                    **settings)
    labels = [dataset.values()[value] for value in (0, 5, 3)]
    last = len(dataset.metainfo['classes']) - 1
    classes = [labels[0]] * 3 + [labels[1]] * 3 + [last, labels[0]]
    predictions = [dict(pred_sem_seg=dict(sem_seg=torch.tensor([[classes]])))]
    figures = evaluate(dataset, dict(type='OpenVocabularySemanticMetric'), predictions)
    assert figures['semantic/mIoU'] == pytest.approx(100 * (3 / 4 + 2 / 3) / 2, abs=0.01)
    wrong = [last if place == 3 else label for place, label in enumerate(classes)]
    predictions = [dict(pred_sem_seg=dict(sem_seg=torch.tensor([[wrong]])))]
    papers, mmsegs = (evaluate(dataset, dict(
        type='OpenVocabularySemanticMetric', mean_over=rule), predictions)['semantic/mIoU']
        for rule in ('truth', 'truth or prediction'))
    assert papers == pytest.approx(100 * (3 / 4 + 1) / 2, abs=0.01)
    assert mmsegs == pytest.approx(100 * (3 / 4 + 1) / 3, abs=0.01)


@pytest.mark.parametrize(('kind', 'label'), [
    ('ADE20KFullDataset', 255), ('PascalContext459Dataset', 255)])
def test_class_255_is_a_class(kind, label, tmp_path):
    (tmp_path / 'annotations_ctx459').mkdir()
    (tmp_path / 'annotations_ctx459/classes.txt').write_text(
        ''.join(f'{i}:name{i}\n' for i in range(459)))
    write_image(tmp_path / 'maps/a.tif', np.array([[label, label, 1, 65535]], np.uint16))
    write_image(tmp_path / 'images/a.jpg', (1, 4, 3))
    dataset = build(kind, tmp_path, data_prefix=dict(img_path='images', seg_map_path='maps'))
    figures = evaluate(dataset, dict(type='OpenVocabularySemanticMetric'), [
        dict(pred_sem_seg=dict(sem_seg=torch.tensor([[[label, 1, 1, label]]])))])
    assert figures['semantic/mIoU'] == pytest.approx(50)


@pytest.fixture
def ade(tmp_path):
    """A wall, grass under two airplanes and under a window."""
    classes = np.full((8, 8), 1, np.uint8)
    classes[4:] = 10
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[4:6, :4], pixels[6:, :4], pixels[4:, 4:6] = (59, 1, 0), (59, 2, 0), (2, 3, 0)
    stem = 'validation/ADE_val_00000001'
    write_image(tmp_path / f'images/{stem}.jpg', (8, 8, 3))
    write_image(tmp_path / f'annotations/{stem}.png', classes)
    write_image(tmp_path / f'annotations_instance/{stem}.png', pixels)
    prepare_ade20k_150(tmp_path, split='val')
    return tmp_path


def panoptic(ade):
    return build('ADE20KPanopticBenchmark', ade, load='LoadPanopticAnnotations',
                 ann_file='ade20k_panoptic_val.json',
                 data_prefix=dict(img='images/validation', seg='ade20k_panoptic_val'))


def predicted_segments(ade, dataset):
    """A result that equals the map."""
    info = dataset.get_data_info(0)
    ids = np.asarray(Image.open(info['seg_map_path'])).astype(int) @ [1, 256, 65536]
    labels = np.full(ids.shape, 150)
    for number, segment in enumerate(info['segments_info'], 1):
        labels[ids == segment['id']] = segment['category'] + number * INSTANCE_OFFSET
    return [dict(pred_panoptic_seg=dict(sem_seg=torch.from_numpy(labels)[None]))]


def test_pq_of_ade20k_takes_the_areas_of_the_file(ade):
    """Of 32 pixels of grass 16 are seen: an overlap of 0.5 is no match."""
    dataset = panoptic(ade)
    files = dict(type='CocoPanopticMetric', ann_file=str(ade / 'ade20k_panoptic_val.json'),
                 seg_prefix=str(ade / 'ade20k_panoptic_val'))
    predictions = predicted_segments(ade, dataset)
    assert evaluate(dataset, files, predictions)['coco_panoptic/PQ'] == 100
    figures = evaluate(dataset, dict(files, areas='file'), predictions)
    assert figures['coco_panoptic/PQ'] == pytest.approx(75), '3 of 4 classes'
    assert figures['coco_panoptic/PQ_th'] == 100, 'window and airplane, whatever they are called'
    assert figures['coco_panoptic/PQ_st'] == 50


def test_mask_ap_of_ade20k_is_of_the_file_of_instances(ade):
    """One of two airplanes is found: AP 0.505 (51 of 101 recalls); the window is."""
    dataset = panoptic(ade)
    classes = dataset.metainfo['classes']
    masks = torch.zeros((2, 8, 8), dtype=torch.bool)
    masks[0, 4:6, :4], masks[1, 4:, 4:6] = True, True
    instances = dict(
        masks=masks, bboxes=torch.tensor([[0., 4, 4, 6], [4, 4, 6, 8]]),
        labels=torch.tensor([classes.index('airplane'), classes.index('window')]),
        scores=torch.tensor([0.9, 0.8]))
    figures = evaluate(dataset, dict(
        type='OpenVocabularyInstanceMetric', metric='segm',
        ann_file=str(ade / 'ade20k_instance_val.json')), [dict(pred_instances=instances)])
    found = next(value for key, value in figures.items() if key.endswith('segm_mAP'))
    assert found == pytest.approx((51 / 101 + 1) / 2, abs=0.001)
