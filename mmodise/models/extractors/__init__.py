"""Extractors: inner feature maps of frozen generators."""

from .diffusion_transformer import DiffusionTransformerExtractor
from .feature_extractor import FeatureExtractor, FeatureMap
from .stable_diffusion import StableDiffusionExtractor
from .stable_diffusion_xl import StableDiffusionXLExtractor
from .token_diffusion import TokenDiffusionExtractor

__all__ = [
    'DiffusionTransformerExtractor', 'FeatureExtractor', 'FeatureMap', 'StableDiffusionExtractor',
    'StableDiffusionXLExtractor', 'TokenDiffusionExtractor']
