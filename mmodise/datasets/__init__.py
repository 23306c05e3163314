"""Data sets that mmdet and mmseg lack, and steps of their pipelines."""

from .captioned_images import CaptionedImagesDataset
from .checked_panoptic import CheckedPanopticDataset
from .shapes import ShapesPanopticDataset
from .transforms import (
    DrawCaption,
    DrawWords,
    InferencerLoader,
    LoadPanopticAnnotations,
    LoadPanopticIfAny,
    PillowResize,
)

__all__ = [
    'CaptionedImagesDataset', 'CheckedPanopticDataset', 'DrawCaption', 'DrawWords',
    'InferencerLoader', 'LoadPanopticAnnotations', 'LoadPanopticIfAny', 'PillowResize',
    'ShapesPanopticDataset']
