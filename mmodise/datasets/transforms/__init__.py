"""Steps of data pipelines that mmdet lacks."""

from .draw_caption import DrawCaption
from .draw_region_words import DrawRegionWords
from .draw_words import DrawWords
from .inferencer_loader import InferencerLoader
from .load_panoptic_annotations import LoadPanopticAnnotations, LoadPanopticIfAny
from .load_semantic_map import LoadSemanticMap
from .pillow_resize import PillowResize

__all__ = [
    'DrawCaption', 'DrawRegionWords', 'DrawWords', 'InferencerLoader', 'LoadPanopticAnnotations',
    'LoadPanopticIfAny', 'LoadSemanticMap', 'PillowResize']
