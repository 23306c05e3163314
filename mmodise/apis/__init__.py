"""Inference from Python, beside mmdet's ``DetInferencer``."""

from .checked_inferencer import CheckedInferencer
from .exports import FORMATS
from .inferencer import ODISEInferencer
from .panoptic_result import PanopticResult
from .result_folder import ResultFolder
from .segment import Segment
from .session import Session

__all__ = [
    'FORMATS', 'CheckedInferencer', 'ODISEInferencer', 'PanopticResult', 'ResultFolder', 'Segment',
    'Session']
