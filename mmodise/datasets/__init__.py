"""Data sets that mmdet and mmseg lack, and steps of their pipelines."""

from .benchmarks import (
    CityscapesPanopticDataset,
    CityscapesSemanticDataset,
    COCOPanopticBenchmark,
    COCOStuffDataset,
    LVISBenchmark,
    MapillaryPanopticDataset,
    MapillarySemanticDataset,
    OpenImagesSegmentation,
    SemanticDataset,
    VisualGenomeRegions,
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
    'COCOPanopticBenchmark', 'COCOStuffDataset', 'CaptionedImagesDataset',
    'CheckedPanopticDataset', 'CityscapesPanopticDataset', 'CityscapesSemanticDataset',
    'DrawCaption', 'DrawWords', 'InferencerLoader', 'LVISBenchmark', 'LoadPanopticAnnotations',
    'LoadPanopticIfAny', 'LoadSemanticMap', 'MapillaryPanopticDataset', 'MapillarySemanticDataset',
    'OpenImagesSegmentation', 'PillowResize', 'SemanticDataset', 'ShapesPanopticDataset',
    'VisualGenomeRegions']
