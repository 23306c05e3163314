"""Metrics that MMDetection lacks, and what is made of the results of several evaluations."""

from .checked_panoptic_metric import CheckedPanopticMetric
from .cityscapes_instance_metric import CityscapesInstanceMetric
from .class_agnostic_metric import ClassAgnosticMetric
from .data_sets import DataSetsReport, DataSetsTestLoop, PendingSampler
from .ensemble_sweep import Figures, Weights, sweep_classifiers, sweep_ensemble
from .lvis_instance_metric import LVISInstanceMetric
from .open_vocabulary_instance_metric import OpenVocabularyInstanceMetric
from .open_vocabulary_panoptic_metric import OpenVocabularyPanopticMetric
from .open_vocabulary_semantic_metric import OpenVocabularySemanticMetric
from .region_recall_metric import RegionRecallMetric
from .spread import Spread, judge
from .summary import GROUPS, summarize

__all__ = [
    'GROUPS',
    'CheckedPanopticMetric',
    'CityscapesInstanceMetric',
    'ClassAgnosticMetric',
    'DataSetsReport',
    'DataSetsTestLoop',
    'Figures',
    'LVISInstanceMetric',
    'OpenVocabularyInstanceMetric',
    'OpenVocabularyPanopticMetric',
    'OpenVocabularySemanticMetric',
    'PendingSampler',
    'RegionRecallMetric',
    'Spread',
    'Weights',
    'judge',
    'summarize',
    'sweep_classifiers',
    'sweep_ensemble',
]
