"""Metrics that MMDetection lacks, and what is made of the results of several evaluations."""

from .checked_panoptic_metric import CheckedPanopticMetric
from .cityscapes_instance_metric import CityscapesInstanceMetric
from .class_agnostic_metric import ClassAgnosticMetric
from .class_figures import ClassFigures, with_novel_classes
from .data_sets import DataSetsReport, DataSetsTestLoop, PendingSampler
from .ensemble_sweep import Figures, Weights, sweep_classifiers, sweep_ensemble
from .lvis_instance_metric import LVISInstanceMetric
from .name_confusion import NOTHING, ConfusedPair, NameConfusion
from .open_vocabulary_instance_metric import OpenVocabularyInstanceMetric
from .open_vocabulary_panoptic_metric import OpenVocabularyPanopticMetric
from .open_vocabulary_semantic_metric import OpenVocabularySemanticMetric
from .prediction_dump import PredictionDump
from .recorded_test import run_test
from .region_recall_metric import RegionRecallMetric
from .spread import Spread, judge
from .summary import GROUPS, summarize

__all__ = [
    'GROUPS',
    'NOTHING',
    'CheckedPanopticMetric',
    'CityscapesInstanceMetric',
    'ClassAgnosticMetric',
    'ClassFigures',
    'ConfusedPair',
    'DataSetsReport',
    'DataSetsTestLoop',
    'Figures',
    'LVISInstanceMetric',
    'NameConfusion',
    'OpenVocabularyInstanceMetric',
    'OpenVocabularyPanopticMetric',
    'OpenVocabularySemanticMetric',
    'PendingSampler',
    'PredictionDump',
    'RegionRecallMetric',
    'Spread',
    'Weights',
    'judge',
    'run_test',
    'summarize',
    'sweep_classifiers',
    'sweep_ensemble',
    'with_novel_classes',
]
