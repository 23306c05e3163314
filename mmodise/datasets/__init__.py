"""Data sets that mmdet and mmseg lack, and steps of their pipelines."""

from .benchmarks import (
    ADE20KFullDataset,
    ADE20KPanopticBenchmark,
    ADE20KSemanticBenchmark,
    CityscapesPanopticDataset,
    CityscapesSemanticDataset,
    COCOPanopticBenchmark,
    COCOStuffDataset,
    FederatedInstanceDataset,
    LVISBenchmark,
    MapillaryPanopticDataset,
    MapillarySemanticDataset,
    OpenImagesSegmentation,
    PascalContext59Dataset,
    PascalContext459Dataset,
    PascalVOC20Dataset,
    PascalVOC21Dataset,
    SemanticDataset,
    VisualGenomeRegions,
)
from .captioned_images import CaptionedImagesDataset
from .captioned_regions import CaptionedRegionsDataset
from .checked_panoptic import CheckedPanopticDataset
from .shapes import ShapesPanopticDataset
from .transforms import (
    DrawCaption,
    DrawRegionWords,
    DrawWords,
    InferencerLoader,
    LoadPanopticAnnotations,
    LoadPanopticIfAny,
    LoadSemanticMap,
    PillowResize,
)

__all__ = [
    'ADE20KFullDataset',
    'ADE20KPanopticBenchmark',
    'ADE20KSemanticBenchmark',
    'COCOPanopticBenchmark',
    'COCOStuffDataset',
    'CaptionedImagesDataset',
    'CaptionedRegionsDataset',
    'CheckedPanopticDataset',
    'CityscapesPanopticDataset',
    'CityscapesSemanticDataset',
    'DrawCaption',
    'DrawRegionWords',
    'DrawWords',
    'FederatedInstanceDataset',
    'InferencerLoader',
    'LVISBenchmark',
    'LoadPanopticAnnotations',
    'LoadPanopticIfAny',
    'LoadSemanticMap',
    'MapillaryPanopticDataset',
    'MapillarySemanticDataset',
    'OpenImagesSegmentation',
    'PascalContext59Dataset',
    'PascalContext459Dataset',
    'PascalVOC20Dataset',
    'PascalVOC21Dataset',
    'PillowResize',
    'SemanticDataset',
    'ShapesPanopticDataset',
    'VisualGenomeRegions',
]
