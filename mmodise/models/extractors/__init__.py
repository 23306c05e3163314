"""Extractors: inner feature maps of frozen generators."""

from .feature_extractor import FeatureExtractor, FeatureMap
from .stable_diffusion import StableDiffusionExtractor

__all__ = ['FeatureExtractor', 'FeatureMap', 'StableDiffusionExtractor']
