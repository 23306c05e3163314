"""Backbones: images -> a tuple of feature maps."""

from .diffusion_backbone import DiffusionBackbone
from .pixel_backbone import PixelBackbone

__all__ = ['DiffusionBackbone', 'PixelBackbone']
