"""Data sets that mmdet and mmseg lack, and steps of their pipelines."""

from .benchmarks import (
    ADE20KFullDataset,
    COCOStuffDataset,
    PascalContext59Dataset,
    PascalContext459Dataset,
    PascalVOC20Dataset,
    PascalVOC21Dataset,
    SemanticDataset,
)
from .captioned_images import CaptionedImagesDataset
from .checked_panoptic import CheckedPanopticDataset
from .shapes import ShapesPanopticDataset
from .transforms import (
    DrawCaption,
    DrawWords,
    InferencerLoader,
    LoadPanopticAnnotations,
    LoadPanopticIfAny,
    LoadSemanticMap,
    PillowResize,
)

__all__ = [
    'ADE20KFullDataset',
    'COCOStuffDataset',
    'CaptionedImagesDataset',
    'CheckedPanopticDataset',
    'DrawCaption',
    'DrawWords',
    'InferencerLoader',
    'LoadPanopticAnnotations',
    'LoadPanopticIfAny',
    'LoadSemanticMap',
    'PascalContext59Dataset',
    'PascalContext459Dataset',
    'PascalVOC20Dataset',
    'PascalVOC21Dataset',
    'PillowResize',
    'SemanticDataset',
    'ShapesPanopticDataset',
]
