"""Data sets that the field evaluates on, as it evaluates on them."""

from .coco_stuff import COCOStuffDataset
from .pascal_context import PascalContext59Dataset, PascalContext459Dataset
from .pascal_voc import PascalVOC20Dataset, PascalVOC21Dataset
from .semantic import SemanticDataset

__all__ = [
    'COCOStuffDataset', 'PascalContext59Dataset', 'PascalContext459Dataset', 'PascalVOC20Dataset',
    'PascalVOC21Dataset', 'SemanticDataset']
