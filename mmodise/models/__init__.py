"""The parts, registered with mmdet."""

from .backbones import DiffusionBackbone, PixelBackbone
from .captioners import ImplicitCaptioner
from .classifiers import CLIPClassifier, MaskClassifier, MaskScores
from .clip import FrozenCLIP
from .data_preprocessor import PanopticDataPreprocessor
from .ensembles import GeometricEnsemble
from .extractors import FeatureExtractor, FeatureMap, StableDiffusionExtractor
from .frozen import FrozenModule, FrozenNetworks
from .heads import (
    MaskFileHead,
    MaskPredictions,
    MaskSource,
    MaskTargets,
    ODISECaptionHead,
    ODISEHead,
    SAMHead,
)
from .losses import GroundingLoss, WholeBatchCrossEntropyLoss
from .observation import Observation
from .odise import ODISE
from .results import OpenVocabularyFusionHead, SegmentMap

__all__ = [
    'ODISE',
    'CLIPClassifier',
    'DiffusionBackbone',
    'FeatureExtractor',
    'FeatureMap',
    'FrozenCLIP',
    'FrozenModule',
    'FrozenNetworks',
    'GeometricEnsemble',
    'GroundingLoss',
    'ImplicitCaptioner',
    'MaskClassifier',
    'MaskFileHead',
    'MaskPredictions',
    'MaskScores',
    'MaskSource',
    'MaskTargets',
    'ODISECaptionHead',
    'ODISEHead',
    'Observation',
    'OpenVocabularyFusionHead',
    'PanopticDataPreprocessor',
    'PixelBackbone',
    'SAMHead',
    'SegmentMap',
    'StableDiffusionExtractor',
    'WholeBatchCrossEntropyLoss',
]
