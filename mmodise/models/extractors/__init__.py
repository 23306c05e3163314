"""Extractors: inner feature maps of frozen generators."""

from .stable_diffusion import StableDiffusionExtractor

__all__ = ['StableDiffusionExtractor']
