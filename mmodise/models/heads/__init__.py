"""Heads, the sources of masks: feature maps -> masks, and what is needed to name them."""

from .cluster_head import ClusterHead
from .fcclip_head import FCCLIPHead
from .float32_pixel_decoder import Float32PixelDecoder
from .mask_file_head import MaskFileHead
from .mask_source import MaskPredictions, MaskSource, MaskTargets, check_queries
from .odise_caption_head import ODISECaptionHead
from .odise_head import ODISEHead
from .sam_head import SAMHead
from .true_masks import true_masks

__all__ = [
    'ClusterHead', 'FCCLIPHead', 'Float32PixelDecoder', 'MaskFileHead', 'MaskPredictions',
    'MaskSource', 'MaskTargets', 'ODISECaptionHead', 'ODISEHead', 'SAMHead', 'check_queries',
    'true_masks']
