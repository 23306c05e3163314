"""Classifiers: out-of-vocabulary scores of masks."""

from .clip_classifier import CLIPClassifier
from .mask_classifier import MaskClassifier, MaskScores
from .pooled_clip_classifier import PooledCLIPClassifier
from .tuned_clip_classifier import TunedCLIPClassifier

__all__ = [
    'CLIPClassifier', 'MaskClassifier', 'MaskScores', 'PooledCLIPClassifier', 'TunedCLIPClassifier']
