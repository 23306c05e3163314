"""Segment Anything, as transformers has it: masks of points, or of names."""

from .frames import Frame
from .frozen_sam import FrozenSAM
from .mask_filter import MaskFilter

__all__ = ['Frame', 'FrozenSAM', 'MaskFilter']
