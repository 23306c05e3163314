"""Losses that mmdet lacks."""

from .class_loss import WholeBatchCrossEntropyLoss
from .grounding_loss import GroundingLoss

__all__ = ['GroundingLoss', 'WholeBatchCrossEntropyLoss']
