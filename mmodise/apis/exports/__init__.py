"""What a result can be saved as and handed on as."""

from .data_frame import to_pandas
from .detections import to_supervision
from .formats import FORMATS, Format, find_format, save_result
from .transformers_dictionary import to_transformers

__all__ = [
    'FORMATS', 'Format', 'find_format', 'save_result', 'to_pandas', 'to_supervision',
    'to_transformers']
