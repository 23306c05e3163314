"""The diffusion model as a backbone."""

from .backbone import DiffusionBackbone
from .loading import load_stable_diffusion, load_text_encoder
from .stable_diffusion import StableDiffusionExtractor

__all__ = [
    'DiffusionBackbone', 'StableDiffusionExtractor', 'load_stable_diffusion', 'load_text_encoder']
