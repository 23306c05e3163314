"""The parts, registered with mmdet."""

from .captioner import ImplicitCaptioner
from .classifier import CLIPClassifier
from .clip import FrozenCLIP
from .diffusion import DiffusionBackbone, StableDiffusionExtractor
from .fusion_head import OpenVocabularyFusionHead
from .head import ODISEHead
from .odise import ODISE

__all__ = [
    'ODISE',
    'CLIPClassifier',
    'DiffusionBackbone',
    'FrozenCLIP',
    'ImplicitCaptioner',
    'ODISEHead',
    'OpenVocabularyFusionHead',
    'StableDiffusionExtractor',
]
