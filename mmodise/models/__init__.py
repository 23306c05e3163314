"""The parts, registered with mmdet."""

from .caption_head import ODISECaptionHead
from .captioner import ImplicitCaptioner
from .class_loss import WholeBatchCrossEntropyLoss
from .classifier import CLIPClassifier
from .clip import FrozenCLIP
from .diffusion import DiffusionBackbone, StableDiffusionExtractor
from .fusion_head import OpenVocabularyFusionHead
from .grounding_loss import GroundingLoss
from .head import ODISEHead
from .odise import ODISE

__all__ = [
    'ODISE',
    'CLIPClassifier',
    'DiffusionBackbone',
    'FrozenCLIP',
    'GroundingLoss',
    'ImplicitCaptioner',
    'ODISECaptionHead',
    'ODISEHead',
    'OpenVocabularyFusionHead',
    'StableDiffusionExtractor',
    'WholeBatchCrossEntropyLoss',
]
