"""Data sets that the field evaluates on, as it evaluates on them."""

from .cityscapes import CityscapesPanopticDataset, CityscapesSemanticDataset
from .coco_panoptic import COCOPanopticBenchmark
from .coco_stuff import COCOStuffDataset
from .instances import FederatedInstanceDataset
from .lvis import LVISBenchmark
from .mapillary import MapillaryPanopticDataset, MapillarySemanticDataset
from .open_images import OpenImagesSegmentation
from .semantic import SemanticDataset
from .visual_genome import VisualGenomeRegions

__all__ = [
    'COCOPanopticBenchmark', 'COCOStuffDataset', 'CityscapesPanopticDataset',
    'CityscapesSemanticDataset', 'FederatedInstanceDataset', 'LVISBenchmark',
    'MapillaryPanopticDataset', 'MapillarySemanticDataset', 'OpenImagesSegmentation',
    'SemanticDataset', 'VisualGenomeRegions']
