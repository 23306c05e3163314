"""The parts, registered with mmdet."""

from .backbones import DiffusionBackbone
from .captioners import ImplicitCaptioner
from .classifiers import CLIPClassifier
from .clip import FrozenCLIP
from .extractors import StableDiffusionExtractor
from .heads import ODISECaptionHead, ODISEHead
from .losses import GroundingLoss, WholeBatchCrossEntropyLoss
from .odise import ODISE
from .results import OpenVocabularyFusionHead

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
