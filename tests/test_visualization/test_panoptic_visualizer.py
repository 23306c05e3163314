import mmcv
import numpy as np
import pytest
import torch
from mmdet.registry import VISUALIZERS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData

from mmodise.visualization import PanopticVisualizer, paint_segments

IMAGE = np.full((120, 160, 3), 90, np.uint8)


@pytest.fixture
def visualizer():
    visualizer = PanopticVisualizer()
    visualizer.dataset_meta = dict(classes=('x', 'y', 'z'), palette='random')
    return visualizer


def make_sample(segment_map, **metainfo):
    panoptic = PixelData(sem_seg=torch.from_numpy(segment_map)[None])
    panoptic.set_metainfo(metainfo)
    return DetDataSample(pred_panoptic_seg=panoptic)


@pytest.fixture
def segment_map():
    segment_map = np.full((120, 160), 3)
    segment_map[:60] = 1
    segment_map[60:, 80:] = 1000
    return segment_map


def draw(visualizer, sample, tmp_path):
    """The picture as it is written, RGB: what ``get_image`` gives went through a figure."""
    path = str(tmp_path / 'drawn.png')
    visualizer.add_datasample('image', IMAGE, sample, draw_gt=False, out_file=path)
    return mmcv.imread(path)[..., ::-1]


def test_names_are_those_of_the_sample(visualizer, segment_map, tmp_path):
    sample = make_sample(segment_map, label_names=['cat', 'sky'], ignore_index=3)
    np.testing.assert_array_equal(
        draw(visualizer, sample, tmp_path), paint_segments(IMAGE, segment_map, ['cat', 'sky']))


def test_names_are_those_of_the_data_set_otherwise(visualizer, segment_map, tmp_path):
    np.testing.assert_array_equal(
        draw(visualizer, make_sample(segment_map), tmp_path),
        paint_segments(IMAGE, segment_map, ['x', 'y', 'z']))


def test_instances_and_semantics_are_not_painted_over_panoptics(visualizer, segment_map):
    sample = make_sample(segment_map)
    visualizer.add_datasample('image', IMAGE, sample, draw_gt=False)
    panoptic_only = visualizer.get_image()
    sample.pred_sem_seg = PixelData(sem_seg=torch.ones(1, 120, 160, dtype=torch.long))
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([[10., 10., 90., 90.]]), labels=torch.tensor([2]),
        scores=torch.tensor([0.9]), masks=torch.ones(1, 120, 160, dtype=torch.bool))
    visualizer.add_datasample('image', IMAGE, sample, draw_gt=False)
    np.testing.assert_array_equal(visualizer.get_image(), panoptic_only)
    assert 'pred_instances' in sample and 'pred_sem_seg' in sample, 'the sample is not changed'


def test_an_image_without_segments_is_no_error(visualizer):
    visualizer.add_datasample('image', IMAGE, make_sample(np.full((120, 160), 3)), draw_gt=False)
    assert (visualizer.get_image() == 36).all(), 'void: 0.4 of the grey'


def test_it_is_a_visualizer_of_mmdet():
    assert VISUALIZERS.get('PanopticVisualizer') is PanopticVisualizer
