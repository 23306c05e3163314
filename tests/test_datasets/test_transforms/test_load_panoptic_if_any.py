from pathlib import Path

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmdet.registry import DATASETS
from mmengine.config import Config

ROOT = Path(__file__).parents[3]
LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadPanopticIfAny')]


@pytest.fixture(scope='module')
def sample(demo_dir):
    config = Config.fromfile(ROOT / 'configs/_base_/datasets/shapes_panoptic.py')
    dataset = config.train_dataloader.dataset
    dataset.update(data_root=str(demo_dir / 'data/shapes'), pipeline=[], serialize_data=False)
    return DATASETS.build(dataset)[0]


def without_masks(sample):
    return dict(sample, seg_map_path=None, instances=[], segments_info=[])


def test_an_image_with_masks_is_loaded_as_mmdet_does(sample):
    found = Compose(LOAD)(dict(sample))
    expected = Compose([LOAD[0], dict(type='LoadPanopticAnnotations')])(dict(sample))
    assert found['has_masks'] is True
    assert np.array_equal(found['gt_seg_map'], expected['gt_seg_map'])
    assert np.array_equal(found['gt_masks'].masks, expected['gt_masks'].masks)


def test_an_image_without_masks_is_void(sample):
    found = Compose(LOAD)(without_masks(sample))
    with_masks = Compose(LOAD)(dict(sample))
    assert found['has_masks'] is False
    assert found['gt_masks'].masks.shape == (0, 128, 128) and len(found['gt_bboxes']) == 0
    assert found['gt_seg_map'].dtype == with_masks['gt_seg_map'].dtype
    assert found['gt_seg_map'].shape == (128, 128) and (found['gt_seg_map'] == 255).all()


@pytest.mark.parametrize('masks', [True, False])
def test_it_goes_through_the_full_size_pipeline(sample, masks):
    """Large-scale jitter crops and pads images to 1024 x 1024, those without masks, too."""
    config = Config.fromfile(ROOT / 'configs/_base_/datasets/coco_caption.py')
    pipeline = Compose([
        step for step in config.train_pipeline if step['type'] != 'DrawWords'])
    np.random.seed(0)
    packed = pipeline(dict(sample if masks else without_masks(sample), words=('dog', )))
    found = packed['data_samples']
    assert packed['inputs'].shape == (3, 1024, 1024)
    assert found.gt_instances.masks.masks.shape[1:] == found.gt_sem_seg.shape == (1024, 1024)
    assert found.words == ('dog', ) and found.has_masks == masks
    assert (len(found.gt_instances.masks) > 0) == masks
    assert ((found.gt_sem_seg.sem_seg != 255).any()) == masks
