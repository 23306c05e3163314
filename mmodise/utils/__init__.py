"""Small helpers that any part of the package may use."""

from .spelling import misspelt, refuse_misspelt
from .whole_file_backend import WholeFileBackend

__all__ = ['WholeFileBackend', 'misspelt', 'refuse_misspelt']
