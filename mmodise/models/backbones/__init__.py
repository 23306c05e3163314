"""Backbones: images -> a tuple of feature maps."""

from .clip_backbone import CLIPBackbone, check_widths
from .diffusion_backbone import DiffusionBackbone
from .pixel_backbone import PixelBackbone

__all__ = ['CLIPBackbone', 'DiffusionBackbone', 'PixelBackbone', 'check_widths']
