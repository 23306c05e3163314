"""Losses that mmdet lacks."""

from .class_loss import WholeBatchCrossEntropyLoss
from .consistency_loss import ConsistencyLoss
from .grounding_loss import GroundingLoss

__all__ = ['ConsistencyLoss', 'GroundingLoss', 'WholeBatchCrossEntropyLoss']
