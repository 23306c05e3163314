"""Metrics that MMDetection lacks."""

from .open_vocabulary_panoptic_metric import OpenVocabularyPanopticMetric

__all__ = ['OpenVocabularyPanopticMetric']
