"""Data sets that the field evaluates on, as it evaluates on them."""

from .ade20k_150 import ADE20KPanopticBenchmark, ADE20KSemanticBenchmark
from .ade20k_full import ADE20KFullDataset
from .cityscapes import CityscapesPanopticDataset, CityscapesSemanticDataset
from .coco_panoptic import COCOPanopticBenchmark
from .coco_stuff import COCOStuffDataset
from .instances import FederatedInstanceDataset
from .lvis import LVISBenchmark
from .mapillary import MapillaryPanopticDataset, MapillarySemanticDataset
from .open_images import OpenImagesSegmentation
from .pascal_context import PascalContext59Dataset, PascalContext459Dataset
from .pascal_voc import PascalVOC20Dataset, PascalVOC21Dataset
from .semantic import SemanticDataset
from .visual_genome import VisualGenomeRegions

__all__ = [
    'ADE20KFullDataset',
    'ADE20KPanopticBenchmark',
    'ADE20KSemanticBenchmark',
    'COCOPanopticBenchmark',
    'COCOStuffDataset',
    'CityscapesPanopticDataset',
    'CityscapesSemanticDataset',
    'FederatedInstanceDataset',
    'LVISBenchmark',
    'MapillaryPanopticDataset',
    'MapillarySemanticDataset',
    'OpenImagesSegmentation',
    'PascalContext59Dataset',
    'PascalContext459Dataset',
    'PascalVOC20Dataset',
    'PascalVOC21Dataset',
    'SemanticDataset',
    'VisualGenomeRegions',
]
