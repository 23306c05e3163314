"""Extractors: inner feature maps of frozen generators."""

from .feature_extractor import FeatureExtractor, FeatureMap
from .stable_diffusion import StableDiffusionExtractor
from .stable_diffusion_xl import StableDiffusionXLExtractor

__all__ = [
    'FeatureExtractor', 'FeatureMap', 'StableDiffusionExtractor', 'StableDiffusionXLExtractor']
