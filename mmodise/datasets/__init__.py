"""Data sets that mmdet and mmseg lack, and steps of their pipelines."""

from mmodise.datasets.captioned_images import CaptionedImagesDataset
from mmodise.datasets.checked_panoptic import CheckedPanopticDataset
from mmodise.datasets.shapes import ShapesPanopticDataset
from mmodise.datasets.transforms import DrawWords, LoadPanopticIfAny

__all__ = [
    'CaptionedImagesDataset', 'CheckedPanopticDataset', 'DrawWords', 'LoadPanopticIfAny',
    'ShapesPanopticDataset']
