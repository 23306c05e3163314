"""Heads, the sources of masks: feature maps -> masks, and what is needed to name them."""

from .cluster_head import ClusterHead
from .mask_source import MaskPredictions, MaskSource, MaskTargets
from .odise_caption_head import ODISECaptionHead
from .odise_head import ODISEHead

__all__ = [
    'ClusterHead', 'MaskPredictions', 'MaskSource', 'MaskTargets', 'ODISECaptionHead', 'ODISEHead']
