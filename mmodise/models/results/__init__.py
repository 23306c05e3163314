"""Fusion: scores and masks -> panoptic, instance and semantic results."""

from .fusion_head import OpenVocabularyFusionHead
from .segments import SegmentMap

__all__ = ['OpenVocabularyFusionHead', 'SegmentMap']
