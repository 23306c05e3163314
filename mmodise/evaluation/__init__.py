"""Metrics that MMDetection lacks, and evaluations of what only testing decides."""

from .open_vocabulary_panoptic_metric import OpenVocabularyPanopticMetric
from .opinion_sweep import sweep_opinions
from .summary import GROUPS, summarize

__all__ = ['GROUPS', 'OpenVocabularyPanopticMetric', 'summarize', 'sweep_opinions']
