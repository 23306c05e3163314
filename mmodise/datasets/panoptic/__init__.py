"""COCO's panoptic annotations, read and checked in one place for all who need them."""

from .annotation_file import PanopticFile, read_panoptic_file
from .classes import ClassMatch, check_classes, complete_metainfo, match_classes, thing_classes
from .file_names import FolderListings, result_names
from .findings import Finding, Findings
from .labels import void_label
from .segment_map import MapError
from .segments import Segments, read_segments

__all__ = [
    'ClassMatch', 'Finding', 'Findings', 'FolderListings', 'MapError', 'PanopticFile', 'Segments',
    'check_classes', 'complete_metainfo', 'match_classes', 'read_panoptic_file', 'read_segments',
    'result_names', 'thing_classes', 'void_label']
