"""Backbones: images -> a tuple of feature maps."""

from .diffusion_backbone import DiffusionBackbone

__all__ = ['DiffusionBackbone']
