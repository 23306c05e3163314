"""Data sets that mmdet and mmseg lack."""

from mmodise.datasets.checked_panoptic import CheckedPanopticDataset
from mmodise.datasets.shapes import ShapesPanopticDataset

__all__ = ['CheckedPanopticDataset', 'ShapesPanopticDataset']
