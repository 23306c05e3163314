"""Old names of :mod:`mmodise.models.backbones`, ``extractors`` and :mod:`mmodise.checkpoints`."""

from ...checkpoints.stable_diffusion import load_stable_diffusion, load_text_encoder
from ..backbones import DiffusionBackbone
from ..extractors import StableDiffusionExtractor

__all__ = [
    'DiffusionBackbone', 'StableDiffusionExtractor', 'load_stable_diffusion', 'load_text_encoder']
