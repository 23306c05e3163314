"""Inference from Python, beside mmdet's ``DetInferencer``."""

from .checked_inferencer import CheckedInferencer
from .exports import FORMATS
from .panoptic_result import PanopticResult
from .result_folder import ResultFolder
from .segment import Segment

__all__ = ['FORMATS', 'CheckedInferencer', 'PanopticResult', 'ResultFolder', 'Segment']
