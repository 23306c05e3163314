"""Data sets that mmdet and mmseg lack."""

from mmodise.datasets.shapes import ShapesPanopticDataset

__all__ = ['ShapesPanopticDataset']
