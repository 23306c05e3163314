"""The parts, registered with mmdet."""

from .backbones import CLIPBackbone, DiffusionBackbone, PixelBackbone
from .captioners import (
    DataSetCaption,
    GivenCaption,
    ImplicitCaptioner,
    LearnedPrompt,
    PretrainedCaptioner,
    TextCaptioner,
)
from .classifiers import (
    CLIPClassifier,
    MaskClassifier,
    MaskScores,
    PooledCLIPClassifier,
    TunedCLIPClassifier,
)
from .clip import FrozenCLIP
from .data_preprocessor import PanopticDataPreprocessor
from .ensembles import GeometricEnsemble
from .extractors import (
    DiffusionTransformerExtractor,
    FeatureExtractor,
    FeatureMap,
    StableDiffusionExtractor,
    StableDiffusionXLExtractor,
    TokenDiffusionExtractor,
)
from .frozen import FrozenModule, FrozenNetworks
from .heads import (
    ClusterHead,
    FCCLIPHead,
    Float32PixelDecoder,
    MaskFileHead,
    MaskPredictions,
    MaskSource,
    MaskTargets,
    ODISECaptionHead,
    ODISEHead,
    SAMHead,
)
from .losses import ConsistencyLoss, GroundingLoss, WholeBatchCrossEntropyLoss
from .observation import Observation
from .odise import ODISE
from .results import OpenVocabularyFusionHead, SegmentMap

__all__ = [
    'ODISE',
    'CLIPBackbone',
    'CLIPClassifier',
    'ClusterHead',
    'ConsistencyLoss',
    'DataSetCaption',
    'DiffusionBackbone',
    'DiffusionTransformerExtractor',
    'FCCLIPHead',
    'FeatureExtractor',
    'FeatureMap',
    'Float32PixelDecoder',
    'FrozenCLIP',
    'FrozenModule',
    'FrozenNetworks',
    'GeometricEnsemble',
    'GivenCaption',
    'GroundingLoss',
    'ImplicitCaptioner',
    'LearnedPrompt',
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
    'PooledCLIPClassifier',
    'PretrainedCaptioner',
    'SAMHead',
    'SegmentMap',
    'StableDiffusionExtractor',
    'StableDiffusionXLExtractor',
    'TextCaptioner',
    'TokenDiffusionExtractor',
    'TunedCLIPClassifier',
    'WholeBatchCrossEntropyLoss',
]
