"""AP of cityscapesScripts: regions that are too small, groups, one of two instances."""

import sys

import numpy as np
import pytest
import torch
from mmdet.registry import METRICS
from mmengine.structures import InstanceData
from PIL import Image

from mmodise.datasets import CityscapesPanopticDataset

CLASSES = CityscapesPanopticDataset.METAINFO['classes']
SHAPE = (60, 100)


def box(left, top, width=20, height=20):
    mask = np.zeros(SHAPE, bool)
    mask[top:top + height, left:left + width] = True
    return mask


CAR, OTHER, PERSON, GROUP = box(0, 0), box(30, 0), box(60, 0), box(0, 30, 40)
SMALL = box(60, 30, 9, 9)  # less than 100 pixels


@pytest.fixture
def evaluate(tmp_path):
    pytest.importorskip('cityscapesscripts')
    ids = np.full(SHAPE, 7, np.uint16)
    for mask, value in ((CAR, 26000), (OTHER, 26001), (PERSON, 24000), (GROUP, 26), (SMALL, 24001)):
        ids[mask] = value
    folder = tmp_path / 'gtFine/val/ulm'
    folder.mkdir(parents=True)
    Image.fromarray(ids).save(folder / 'ulm_000001_000019_gtFine_instanceIds.png')

    def run(*found, text=None, stuff_text=None):
        names = CLASSES if text is None else (*text, *stuff_text)
        metric = METRICS.build(dict(type='CityscapesInstanceMetric', seg_prefix=str(folder.parent)))
        metric.dataset_meta = dict(classes=CLASSES)
        instances = InstanceData(
            labels=torch.tensor([names.index(name) for name, _, _ in found]),
            scores=torch.tensor([score for _, _, score in found]),
            masks=torch.from_numpy(np.array([mask for _, mask, _ in found])))
        metric.process({}, [dict(
            img_path=str(tmp_path / 'leftImg8bit/val/ulm/ulm_000001_000019_leftImg8bit.png'),
            text=text, stuff_text=stuff_text, pred_instances=dict(instances.items()))])
        return metric.evaluate(1)

    return run


def test_what_is_too_small_and_what_is_in_a_group_is_ignored(evaluate):
    everything = [('car', CAR, 0.9), ('car', OTHER, 0.8), ('person', PERSON, 0.9)]
    assert evaluate(*everything) == {'cityscapes/AP': 1, 'cityscapes/AP50': 1}
    assert evaluate(('car', GROUP, 0.95), ('person', SMALL, 0.95), *everything) == {
        'cityscapes/AP': 1, 'cityscapes/AP50': 1}


def test_figures_by_hand(evaluate):
    """A car of two; a person of whom 15 of 20 columns are found: right at IoU 0.5 to 0.75."""
    figures = evaluate(('car', CAR, 0.9), ('person', box(60, 0, 15), 0.9))
    assert figures['cityscapes/AP50'] == pytest.approx((0.5 + 1) / 2)
    assert figures['cityscapes/AP'] == pytest.approx((0.5 + 5 / 10) / 2, abs=1e-3)


def test_names_of_its_own_go_by_name_and_nothing_but_what_is_there_is_an_oracle(evaluate):
    found = [('person', PERSON, 0.9), ('car', CAR, 0.9), ('car', OTHER, 0.8)]
    assert evaluate(*found, text=('person', 'car', 'bus'), stuff_text=('road', )) == {
        'cityscapes/AP': 1, 'cityscapes/AP50': 1}
    assert evaluate(*found, text=('person', 'car'), stuff_text=('road', )) == {
        'cityscapes/oracle_AP': 1, 'cityscapes/oracle_AP50': 1}


def test_a_map_that_is_missing_is_named(tmp_path, evaluate):
    metric = METRICS.build(dict(type='CityscapesInstanceMetric', seg_prefix=str(tmp_path)))
    metric.dataset_meta = dict(classes=CLASSES)
    nothing = InstanceData(labels=torch.zeros(0, dtype=torch.long), scores=torch.zeros(0),
                           masks=torch.zeros((0, *SHAPE)))
    with pytest.raises(FileNotFoundError, match=r'ulm/a_gtFine_instanceIds\.png, the map of'):
        metric.process({}, [dict(img_path='ulm/a_leftImg8bit.png', pred_instances=nothing)])


def test_without_the_package_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, 'cityscapesscripts', None)
    with pytest.raises(ImportError, match=r'pip install "mmodise\[cityscapes\]"'):
        METRICS.build(dict(type='CityscapesInstanceMetric', seg_prefix='x'))
