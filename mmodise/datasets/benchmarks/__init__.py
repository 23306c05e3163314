"""Data sets that the field evaluates on, as it evaluates on them."""

from .ade20k_full import ADE20KFullDataset
from .coco_stuff import COCOStuffDataset
from .pascal_context import PascalContext59Dataset, PascalContext459Dataset
from .pascal_voc import PascalVOC20Dataset, PascalVOC21Dataset
from .semantic import SemanticDataset

__all__ = [
    'ADE20KFullDataset', 'COCOStuffDataset', 'PascalContext59Dataset', 'PascalContext459Dataset',
    'PascalVOC20Dataset', 'PascalVOC21Dataset', 'SemanticDataset']
