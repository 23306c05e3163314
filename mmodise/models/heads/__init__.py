"""Heads: feature maps -> masks, and what is needed to name them."""

from .odise_caption_head import ODISECaptionHead
from .odise_head import ODISEHead

__all__ = ['ODISECaptionHead', 'ODISEHead']
