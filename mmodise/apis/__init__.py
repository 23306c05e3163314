"""Inference from Python, beside mmdet's ``DetInferencer``."""

from .checked_inferencer import CheckedInferencer
from .panoptic_result import PanopticResult

__all__ = ['CheckedInferencer', 'PanopticResult']
