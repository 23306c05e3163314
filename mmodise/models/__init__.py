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
    ClusterHead,
    MaskPredictions,
    MaskSource,
    MaskTargets,
    ODISECaptionHead,
    ODISEHead,
)
from .losses import GroundingLoss, WholeBatchCrossEntropyLoss
from .observation import Observation
from .odise import ODISE
from .results import OpenVocabularyFusionHead, SegmentMap

__all__ = [
    'ODISE',
    'CLIPClassifier',
    'ClusterHead',
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
    'SegmentMap',
    'StableDiffusionExtractor',
    'WholeBatchCrossEntropyLoss',
]
