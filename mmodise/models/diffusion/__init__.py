"""The diffusion model as a backbone."""

from .backbone import DiffusionBackbone
from .stable_diffusion import StableDiffusionExtractor

__all__ = ['DiffusionBackbone', 'StableDiffusionExtractor']
