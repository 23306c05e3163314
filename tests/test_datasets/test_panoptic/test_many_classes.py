"""More than 255 classes: void and classes never collide, from loading to the figures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.models.utils import preprocess_panoptic_gt
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from PIL import Image

from mmodise.datasets.panoptic import void_label
from mmodise.models.data_preprocessor import check_padding

ROOT = Path(__file__).parents[3]
FILL = 255


def set_of(small_set, small, num_classes, labels, num_things=20):
    """Images of stripes of these labels, 4 rows each, and void below."""
    names = [f'class {label}' for label in range(num_classes)]
    small_set.metainfo = dict(classes=names, thing_classes=names[:num_things],
                              stuff_classes=names[num_things:])
    small_set.content['categories'] = [
        dict(id=label + 1, name=name) for label, name in enumerate(names)]
    for image_id, annotation in zip(
            small_set.ids, small_set.content['annotations'], strict=True):
        ids = small_set.ids[image_id] = np.zeros((24, 16), int)
        annotation['segments_info'] = []
        for number, label in enumerate(labels, start=1):
            ids[4 * number - 4:4 * number] = number
            annotation['segments_info'].append(dict(id=number, category_id=label + 1))
    small_set.save()


def targets(sample, num_classes, num_things=20):
    """Labels and pixels as mmdet's heads train them."""
    instances = sample.gt_instances
    labels, masks = preprocess_panoptic_gt(
        torch.as_tensor(instances.labels), instances.masks, sample.gt_sem_seg.sem_seg, num_things,
        num_classes - num_things)
    return {int(label): int(mask.sum()) for label, mask in zip(labels, masks, strict=True)}


@pytest.mark.parametrize(('num_classes', 'labels'), [
    (254, [3, 253]), (255, [3, 253, 254]), (256, [3, 254, 255]), (257, [255, 256]),
    (300, [3, 30, 299]), (300, [3, 255, 254]), (300, [255]), (999, [0, 255, 998]),
    (1203, [255, 1202, 1000]), (70_000, [3, 255, 65_535, 69_999])])
def test_what_is_loaded_is_what_is_trained(small_set, small, num_classes, labels):
    set_of(small_set, small, num_classes, labels)
    sample = small_set.build()[0]['data_samples']
    assert targets(sample, num_classes) == dict.fromkeys(labels, 64), 'void is nothing'
    semantic = sample.gt_sem_seg.sem_seg
    assert (semantic[0, 4 * len(labels):] == void_label(num_classes)).all()
    assert semantic.dtype == (torch.uint8 if num_classes <= 255 else torch.int32)


@pytest.mark.parametrize('labels', [[255, 256, 300, 20], [258, 3, 255]])
def test_more_things_than_a_byte_counts(small_set, small, labels):
    set_of(small_set, small, 400, labels, num_things=260)
    sample = small_set.build()[0]['data_samples']
    assert targets(sample, 400, 260) == dict.fromkeys(labels, 64)
    assert sorted(sample.gt_instances.labels.tolist()) == sorted(
        label for label in labels if label < 260)


@pytest.mark.parametrize('left_out', [255, 299])
def test_categories_that_are_left_out_are_void(small_set, small, left_out):
    set_of(small_set, small, 300, [3, left_out, 254])
    small_set.content['categories'][left_out]['name'] = 'of another list'
    small_set.save_json()
    assert targets(small_set.build()[0]['data_samples'], 300) == {3: 64, 254: 64}


FILLING = {
    'Pad': [dict(type='Pad', size=(32, 32), pad_val=dict(img=0, masks=0, seg=255))],
    'Pad by default': [dict(type='Pad', size=(32, 32))],
    'Rotate': [dict(type='Rotate', prob=1.0, level=10)],
    'TranslateX': [dict(type='TranslateX', prob=1.0, level=5)],
    'ShearY': [dict(type='ShearY', prob=1.0, level=5)],
    'RandomCrop': [dict(type='RandomCrop', crop_size=(12, 12)), dict(type='Pad', size=(16, 16))],
    'Resize': [dict(type='Resize', scale=(32, 48))],
    'PillowResize': [dict(type='PillowResize', scale=(32, 48))],
    'RandomResize': [dict(type='RandomResize', scale=(32, 48), ratio_range=(0.5, 2.0),
                          resize_type='PillowResize', keep_ratio=True)],
    'RandomFlip': [dict(type='RandomFlip', prob=1.0)]}


@pytest.mark.parametrize('step', FILLING)
@pytest.mark.parametrize('loading', ['LoadPanopticAnnotations', 'LoadPanopticIfAny'])
def test_steps_fill_with_void(small_set, small, step, loading):
    """Whatever mmdet's steps fill with, no pixel becomes a class that is not in the image."""
    np.random.seed(0)
    set_of(small_set, small, 300, [3, 254, 299])
    pipeline = [dict(type='LoadImageFromFile'), dict(type=loading), *FILLING[step], small.PACK]
    sample = small_set.build(pipeline=pipeline)[0]['data_samples']
    assert set(sample.gt_sem_seg.sem_seg.unique().tolist()) == {3, 254, 299, 300}
    assert set(targets(sample, 300)) == {3, 254, 299}
    set_of(small_set, small, 300, [3, 254, 255])
    sample = small_set.build(pipeline=pipeline)[0]['data_samples']
    assert set(sample.gt_sem_seg.sem_seg.unique().tolist()) == {3, 254, 255, 300}
    assert set(targets(sample, 300)) == {3, 254, 255}


@pytest.mark.parametrize('config', ['coco_panoptic', 'coco_caption', 'coco_panoptic_sample',
                                    'shapes_panoptic'])
@pytest.mark.parametrize('labels', [[3, 30, 299], [3, 255, 254]])
def test_the_pipelines_of_the_configs(small_set, small, config, labels):
    np.random.seed(1)
    set_of(small_set, small, 300, labels)
    pipeline = Config.fromfile(
        ROOT / f'configs/_base_/datasets/{config}.py').train_dataloader.dataset.pipeline
    pipeline = [step for step in pipeline if step['type'] != 'DrawWords']
    dataset, seen = small_set.build(pipeline=pipeline, return_classes=True), set()
    for _ in range(4):  # a crop may miss some
        sample = dataset[0]['data_samples']
        seen |= set(targets(sample, 300))
        assert set(sample.gt_sem_seg.sem_seg.unique().tolist()) <= {*labels, 300}
    assert seen == set(labels)


@pytest.mark.parametrize('step', [
    dict(type='Resize', scale=(8, 8), backend='pillow'),
    dict(type='RandomResize', scale=(8, 8), ratio_range=(1, 2), keep_ratio=True, backend='pillow'),
    dict(type='RandomChoice', transforms=[[dict(type='Resize', scale=(8, 8), backend='pillow')]])])
def test_steps_that_know_bytes_only_are_refused_when_the_set_is_built(small_set, small, step):
    set_of(small_set, small, 300, [3])
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadPanopticAnnotations'), step,
                small.PACK]
    with pytest.raises(ValueError, match=r"more than 255 classes, .* resize_type='PillowRes"):
        small_set.build(pipeline=pipeline)
    set_of(small_set, small, 255, [3])
    assert small_set.build(pipeline=pipeline)[0]


@pytest.mark.parametrize('labels', [[3, 254], [3, 299]])
def test_pillow_resizes_bytes_and_others_alike(small_set, small, labels):
    found = []
    for num_classes in (255, 300) if labels[1] < 255 else (300, 400):
        set_of(small_set, small, num_classes, labels)
        pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadPanopticAnnotations'),
                    dict(type='PillowResize', scale=(23, 31)), small.PACK]
        semantic = small_set.build(pipeline=pipeline)[0]['data_samples'].gt_sem_seg.sem_seg
        found.append(torch.where(semantic == void_label(num_classes), -1, semantic.long()))
    assert torch.equal(*found)


def test_pillow_resize_is_resize_with_pillow(small_set, small):
    small_set.save()
    found = [
        small_set.build(pipeline=[
            dict(type='LoadImageFromFile'), dict(type='LoadPanopticAnnotations'),
            dict(scale=(23, 31), keep_ratio=True, **step), small.PACK])[0]
        for step in (dict(type='PillowResize'), dict(type='Resize', backend='pillow'))]
    assert torch.equal(*(item['inputs'] for item in found))
    assert torch.equal(*(item['data_samples'].gt_sem_seg.sem_seg for item in found))


def test_images_without_masks_are_void(small_set, small):
    set_of(small_set, small, 300, [3])
    sample = small_set.build(pipeline=[])[0]
    sample.update(seg_map_path=None, instances=[], segments_info=[])
    loaded = Compose([dict(type='LoadImageFromFile'), dict(type='LoadPanopticIfAny')])(sample)
    assert loaded['gt_seg_map'].dtype == np.int32 and (loaded['gt_seg_map'] == FILL).all()


def test_mmdets_own_data_set_is_refused_where_a_class_would_be_void(small_set, small):
    set_of(small_set, small, 300, [3, 255])
    for segment in small_set.segments():
        segment.update(area=64, bbox=[0, 0, 16, 4])
    for category in small_set.content['categories']:
        category['isthing'] = int(category['id'] <= 20)
    small_set.save_json()
    dataset = small_set.build(type='CocoPanopticDataset')
    with pytest.raises(ValueError, match='has a label 255, and 255 means void in its maps'):
        dataset[0]


# Batches


def test_a_batch_is_padded_with_void(small_set, small):
    preprocessor = MODELS.build(Config.fromfile(
        ROOT / 'configs/_base_/models/odise.py').model.data_preprocessor)
    for num_classes, labels in ((300, [3, 255]), (255, [3, 254])):
        set_of(small_set, small, num_classes, labels)
        samples = [small_set.build()[0]]
        small_set.save(write_picture=lambda pixels, path: Image.fromarray(pixels).save(path))
        samples.append(small_set.build(pipeline=[
            dict(type='LoadImageFromFile'), dict(type='LoadPanopticAnnotations'),
            dict(type='Resize', scale=(32, 80)), small.PACK])[0])
        batch = preprocessor(pseudo_collate(samples), training=True)['data_samples']
        assert [sample.gt_sem_seg.shape for sample in batch] == [(128, 64)] * 2
        assert [set(targets(sample, num_classes)) for sample in batch] == [set(labels)] * 2
        assert targets(batch[0], num_classes) == dict.fromkeys(labels, 64)
        assert preprocessor.seg_pad_value == FILL


def test_a_batch_of_images_with_and_without_maps(small_set, small):
    preprocessor = MODELS.build(dict(type='PanopticDataPreprocessor', pad_seg=True))
    set_of(small_set, small, 300, [255])
    samples = [small_set.build()[0], small_set.build(pipeline=[
        dict(type='LoadImageFromFile'), small.PACK])[0]]
    batch = preprocessor(pseudo_collate(samples), training=True)['data_samples']
    assert [hasattr(sample, 'gt_sem_seg') for sample in batch] == [True, False]


def test_a_preprocessor_that_pads_with_a_class_is_refused():
    mmdets = MODELS.build(dict(type='DetDataPreprocessor', pad_seg=True))
    check_padding(mmdets, 255)
    with pytest.raises(ValueError, match=r"padded with the label 255 .*'PanopticDataPr"):
        check_padding(mmdets, 256)
    check_padding(MODELS.build(dict(type='PanopticDataPreprocessor', pad_seg=True)), 256)
    check_padding(torch.nn.Identity(), 256)


# Figures


@pytest.mark.parametrize(('num_classes', 'labels'), [
    (255, [3, 254]), (256, [3, 255]), (300, [3, 255, 299]), (999, [0, 255, 998])])
def test_figures_of_many_classes(small_set, small, truth_as_prediction, num_classes, labels):
    set_of(small_set, small, num_classes, labels)
    dataset = small_set.build()
    samples = [truth(dataset[i]['data_samples'], num_classes) for i in range(3)]
    assert {kind: small_set.evaluate(kind, samples) for kind in small.METRIC_TYPES} == small.PERFECT
    for sample in samples:
        semantic = sample['pred_sem_seg']['sem_seg']
        semantic[semantic == labels[-1]] = 255 if labels[-1] != 255 else 254
    assert small_set.evaluate('OpenVocabularySemanticMetric', samples) == pytest.approx(
        100 * (len(labels) - 1) / len(labels), abs=34)


def truth(sample, num_classes, num_things=20):
    from mmengine.structures import InstanceData, PixelData
    semantic = sample.gt_sem_seg.sem_seg.long()
    void = void_label(num_classes)
    panoptic = torch.where(semantic == void, num_classes, semantic)
    things = sample.gt_instances
    masks = torch.from_numpy(things.masks.masks).bool()
    for number, (label, mask) in enumerate(zip(things.labels, masks, strict=True), start=1):
        panoptic[0, mask] = label + 1000 * number
    sample.pred_panoptic_seg = PixelData(sem_seg=panoptic, metainfo=dict(ignore_index=num_classes))
    sample.pred_sem_seg = PixelData(sem_seg=torch.where(semantic == void, 0, semantic))
    sample.pred_instances = InstanceData(
        labels=things.labels, masks=masks, scores=torch.ones(len(masks)),
        bboxes=things.bboxes.tensor)
    return sample.to_dict()


def test_semantic_figures_of_ten_thousand_classes(small_set, small):
    """mmdet's histogram of floats takes some labels for their neighbours."""
    set_of(small_set, small, 10_000, [9_999, 4_321, 255, 256, 7_777])
    sample = dict(img_id=1, img_path='1.jpg', ori_shape=(24, 16))
    predicted = torch.zeros(1, 24, 16, dtype=torch.long)
    for number, label in enumerate((9_999, 4_321, 255, 256, 7_778)):
        predicted[0, 4 * number:4 * number + 4] = label
    figures = small_set.figures('OpenVocabularySemanticMetric', [
        dict(sample, pred_sem_seg=dict(sem_seg=predicted))])
    assert figures['semantic/mIoU'] == 80 and figures['semantic/aAcc'] == 80


def test_one_class(small_set, small):
    """Of which a histogram from 0 to 0 counts everything."""
    set_of(small_set, small, 1, [0], num_things=0)
    predicted = torch.zeros(1, 24, 16, dtype=torch.long)
    predicted[0, :2] = 1  # void
    figures = small_set.figures('OpenVocabularySemanticMetric', [
        dict(img_id=1, ori_shape=(24, 16), pred_sem_seg=dict(sem_seg=predicted))])
    assert figures['semantic/mIoU'] == 50


@pytest.mark.parametrize('num_classes', [256, 257, 300])
def test_semantic_results_keep_their_labels(small_set, small, tmp_path, num_classes):
    set_of(small_set, small, num_classes, [0])
    predicted = torch.full((1, 24, 16), num_classes - 1)
    small_set.figures('OpenVocabularySemanticMetric', [
        dict(img_id=1, ori_shape=(24, 16), pred_sem_seg=dict(sem_seg=predicted))],
        output_dir=str(tmp_path / 'out'))
    assert (np.asarray(Image.open(tmp_path / 'out/1.png')) == num_classes - 1).all()


def test_a_panoptic_result_holds_999_classes(small_set, small):
    set_of(small_set, small, 1000, [0])
    with pytest.raises(ValueError, match='1000 classes, and a panoptic result holds 999 at most'):
        small_set.metric('CocoPanopticMetric')


def test_concatenated_data_sets(small_set, small):
    set_of(small_set, small, 300, [255, 299])
    part = dict(type='CheckedPanopticDataset', ann_file=str(small_set.ann_file),
                data_prefix=dict(img=f'{small_set.root}/images', seg=f'{small_set.root}/maps'),
                metainfo=small_set.metainfo, serialize_data=False,
                pipeline=[*small.LOAD, small.PACK])
    dataset = DATASETS.build(dict(type='ConcatDataset', datasets=[part, part]))
    assert [targets(dataset[i]['data_samples'], 300) for i in (0, 5)] == [{255: 64, 299: 64}] * 2
