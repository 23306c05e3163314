"""Steps of data pipelines that mmdet lacks."""

from .draw_words import DrawWords
from .load_panoptic_annotations import LoadPanopticAnnotations, LoadPanopticIfAny
from .pillow_resize import PillowResize

__all__ = ['DrawWords', 'LoadPanopticAnnotations', 'LoadPanopticIfAny', 'PillowResize']
