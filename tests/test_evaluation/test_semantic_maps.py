"""mIoU against maps of labels of all kinds, and against the annotations of samples.

A picture of 2 x 10 pixels, column by column: truth is wall 0-3, person 4-6, void 7-9; the result is
wall 0-4, person 5, sky 6-7, person 8-9. By hand: wall 4/5 (found 0-4), person 1/3 (5; the 8-9 on
void count nowhere), sky is only predicted, at column 6. Right are 5 of 7.
"""

import numpy as np
import pytest
import torch
from mmdet.registry import METRICS
from mmdet.structures import DetDataSample
from mmengine.structures import PixelData
from PIL import Image

import mmodise  # noqa: F401

CLASSES = ('person', 'wall', 'sky')
METAINFO = dict(classes=CLASSES, thing_classes=('person', ), stuff_classes=('wall', 'sky'))
PARTS = [('wall', 4), ('person', 3), ('void', 3)]
FOUND = [('wall', 5), ('person', 1), ('sky', 2), ('person', 2)]
MIOU = pytest.approx(100 * (4/5 + 1/3) / 2, abs=0.01)


def columns(parts, values):
    return np.repeat([values[name] for name, _ in parts], [n for _, n in parts])[None].repeat(2, 0)


def result(predicted, path='images/val/a.jpg', truth=None, **metainfo):
    sample = DetDataSample(
        metainfo=dict(img_id=1, img_path=path),
        pred_sem_seg=PixelData(sem_seg=torch.from_numpy(predicted)[None].long()))
    if truth is not None:
        sample.gt_sem_seg = PixelData(sem_seg=torch.from_numpy(truth)[None], metainfo=metainfo)
    return sample.to_dict()


RESULT = columns(FOUND, dict(person=0, wall=1, sky=2))


def figures(predicted=RESULT, truth=None, metainfo=METAINFO, pixels=None, **settings):
    metric = METRICS.build(dict(type='OpenVocabularySemanticMetric', **settings))
    metric.dataset_meta = metainfo
    metric.process({}, [result(predicted, truth=truth, **(pixels or {}))])
    return metric.evaluate(1), metric


def write(folder, values, name='a.png', dtype=np.uint8, mode=None):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values.astype(dtype))
    if mode == 'P':
        image = Image.fromarray(values.astype(dtype), 'L')
        image.putpalette([255 - i // 3 for i in range(768)])
    image.save(path)


@pytest.mark.parametrize(('values', 'dtype', 'mode', 'name', 'settings'), [
    (dict(person=0, wall=1, void=255), np.uint8, None, 'a.png', {}),
    (dict(person=0, wall=1, void=255), np.uint8, 'P', 'a.png', {}),
    (dict(person=0, wall=1, void=65535), np.uint16, None, 'a.tif', dict(seg_map_suffix='.tif')),
    (dict(person=1, wall=2, void=0), np.uint8, None, 'a.png', dict(label_offset=1)),
    (dict(person=0, wall=1, void=65), np.uint8, None, 'val/a.png', dict(ignore_index=65)),
    (dict(person=12, wall=1, void=0), np.uint8, None, 'a.png',
     dict(label_offset=1, names=('wall', 'sky', *(f'other {i}' for i in range(9)), 'person'))),
    (dict(person=24, wall=12, void=5), np.uint8, None, 'val/a_labelIds.png',
     dict(names={24: 'person', 12: 'wall', 23: 'sky'}, seg_map_suffix='_labelIds.png')),
])
def test_maps_of_all_kinds_give_the_same(tmp_path, values, dtype, mode, name, settings):
    write(tmp_path, columns(PARTS, values), name, dtype, mode)
    metrics, metric = figures(seg_prefix=str(tmp_path), **settings)
    assert metrics['semantic/mIoU'] == MIOU
    assert metrics['semantic/aAcc'] == pytest.approx(100 * 5 / 7, abs=0.01)
    assert list(metric.per_class) == ['person', 'wall']
    assert metric.per_class['wall']['IoU'] == pytest.approx(80)


def test_classes_that_are_only_predicted_count_if_asked(tmp_path):
    write(tmp_path, columns(PARTS, dict(person=0, wall=1, void=255)))
    metrics, metric = figures(seg_prefix=str(tmp_path), mean_over='truth or prediction')
    assert metrics['semantic/mIoU'] == pytest.approx(100 * (4/5 + 1/3 + 0) / 3, abs=0.01)
    assert metrics['semantic/mAcc'] == pytest.approx(100 * (1 + 1/3) / 2, abs=0.01)
    assert metric.per_class['sky']['IoU'] == 0
    with pytest.raises(ValueError, match=r"mean_over='mmseg', expected one of"):
        figures(seg_prefix=str(tmp_path), mean_over='mmseg')


def test_seen_and_unseen_classes_apart(tmp_path):
    write(tmp_path, columns(PARTS, dict(person=0, wall=1, void=255)))
    metrics, _ = figures(
        seg_prefix=str(tmp_path), metainfo=dict(METAINFO, novel_classes=('person', 'sky')))
    assert metrics['semantic/base_mIoU'] == pytest.approx(80)
    assert metrics['semantic/novel_mIoU'] == pytest.approx(100 / 3, abs=0.01)


@pytest.mark.parametrize(('void', 'pixels', 'settings'), [
    (255, {}, {}), (65535, {}, {}), (7, dict(ignore_index=7), {}), (7, {}, dict(ignore_index=7))])
def test_annotations_of_samples(void, pixels, settings):
    truth = columns(PARTS, dict(person=0, wall=1, void=void))
    metrics, _ = figures(truth=truth, pixels=pixels, **settings)
    assert metrics['semantic/mIoU'] == MIOU


@pytest.mark.parametrize('from_maps', [True, False])
def test_the_class_of_label_255_among_1203(tmp_path, from_maps):
    names = dict(person=255, wall=1202, sky=256, void=65535)
    truth, settings = columns(PARTS, names), {}
    if from_maps:
        write(tmp_path, truth, dtype=np.uint16)
        settings = dict(seg_prefix=str(tmp_path))
    metrics, metric = figures(
        columns(FOUND, names), None if from_maps else truth,
        dict(classes=[f'class {i}' for i in range(1203)]), dict(ignore_index=255), **settings)
    assert metrics['semantic/mIoU'] == MIOU
    assert metric.per_class['class 255']['IoU'] == pytest.approx(100 / 3)


def test_results_of_long_vocabularies_stay_small(tmp_path):
    write(tmp_path, columns(PARTS, dict(person=0, wall=1, void=65535)), dtype=np.uint16)
    _, metric = figures(seg_prefix=str(tmp_path), metainfo=dict(
        classes=[*CLASSES, *(f'class {i}' for i in range(9000))]))
    metric.process({}, [result(RESULT)])
    assert sum(value.numel() for value in metric.results[-1].values()) == 3 * 4


def test_what_does_not_fit_is_told(tmp_path):
    write(tmp_path, columns(PARTS, dict(person=3, wall=1, void=255)))
    with pytest.raises(ValueError, match=r'a\.png has a value 3, which is no class: there are 3'):
        figures(seg_prefix=str(tmp_path))
    with pytest.raises(ValueError, match=r"classes .*'person' is 'Person'"):
        figures(seg_prefix=str(tmp_path), names=('Person', 'wall', 'sky'))
    with pytest.raises(ValueError, match=r'2 x 10|10 x 2'):
        figures(RESULT[:, :8], seg_prefix=str(tmp_path))
    (tmp_path / 'a.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'The map of images/val/a\.jpg is neither'):
        figures(seg_prefix=str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r'seg_prefix=.*nowhere'):
        figures(seg_prefix=str(tmp_path / 'nowhere'))
    with pytest.raises(ValueError, match='has no gt_sem_seg'):
        figures()
    with pytest.raises(ValueError, match='has a label 9, and the data set 3 classes'):
        figures(truth=columns(PARTS, dict(person=9, wall=1, void=255)))
    with pytest.raises(ValueError, match=r'is of \(2, 8\) pixels'):
        figures(truth=RESULT[:, :8])


def test_colours_are_no_labels(tmp_path):
    write(tmp_path, np.full((2, 10, 3), (0, 1, 0)))
    with pytest.raises(ValueError, match='expected one number a pixel'):
        figures(seg_prefix=str(tmp_path))


def test_maps_of_another_data_set_of_the_same_pictures(tmp_path):
    """Its labels are in another order, and its maps count from 1."""
    write(tmp_path, columns(PARTS, dict(wall=1, person=2, void=0)), 'maps/a.png')
    write(tmp_path, np.zeros((2, 10, 3)), 'images/a.jpg')
    maps = dict(
        type='SemanticDataset', ignore_index=0, metainfo=dict(classes=('none', 'wall', 'person')),
        data_root=str(tmp_path), data_prefix=dict(img_path='images', seg_map_path='maps'))
    metainfo = dict(classes=('person', 'wall', 'ship'))
    metrics, _ = figures(maps=maps, metainfo=metainfo)
    assert metrics['semantic/mIoU'] == MIOU
    (tmp_path / 'images/a.jpg').rename(tmp_path / 'images/b.jpg')
    (tmp_path / 'maps/a.png').rename(tmp_path / 'maps/b.png')
    with pytest.raises(FileNotFoundError, match=r'The map of images/val/a\.jpg is not in .*maps'):
        figures(maps=maps, metainfo=metainfo)
