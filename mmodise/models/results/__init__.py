"""Fusion: scores and masks -> panoptic, instance and semantic results."""

from .fusion_head import OpenVocabularyFusionHead

__all__ = ['OpenVocabularyFusionHead']
