"""Classifiers: out-of-vocabulary scores of masks."""

from .clip_classifier import CLIPClassifier

__all__ = ['CLIPClassifier']
