"""Inference from Python, beside mmdet's ``DetInferencer``."""

from .panoptic_result import PanopticResult

__all__ = ['PanopticResult']
