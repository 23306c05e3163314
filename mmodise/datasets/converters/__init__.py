"""Annotations of many layouts become panoptic ones, and a config that trains on them."""

from .annotated import AnnotatedImage, AnnotationError, ExistingMap, Segment, Source
from .cityscapes import read_cityscapes
from .class_maps import read_class_maps
from .class_values import parse_class_values
from .coco_instances import read_coco_instances
from .coco_panoptic import read_coco_panoptic
from .detection import FORMATS, detect
from .labelme import read_labelme
from .own_data import Made, Options, make_own_data, split_names
from .painting import OVERLAPS, Rules, paint
from .pictures import PictureFolder

__all__ = [
    'FORMATS', 'OVERLAPS', 'AnnotatedImage', 'AnnotationError', 'ExistingMap', 'Made', 'Options',
    'PictureFolder', 'Rules', 'Segment', 'Source', 'detect', 'make_own_data', 'paint',
    'parse_class_values', 'read_cityscapes', 'read_class_maps', 'read_coco_instances',
    'read_coco_panoptic', 'read_labelme', 'split_names']
