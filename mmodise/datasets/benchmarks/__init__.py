"""Data sets that the field evaluates on, as it evaluates on them."""

from .cityscapes import CityscapesPanopticDataset, CityscapesSemanticDataset
from .coco_stuff import COCOStuffDataset
from .mapillary import MapillaryPanopticDataset, MapillarySemanticDataset
from .semantic import SemanticDataset

__all__ = [
    'COCOStuffDataset', 'CityscapesPanopticDataset', 'CityscapesSemanticDataset',
    'MapillaryPanopticDataset', 'MapillarySemanticDataset', 'SemanticDataset']
