"""A check of data sets: everything is read once, and what was found is one report."""

from .checker import check_data_sets
from .data_sets import NamedSet, configured_sets, folder_set
from .report import Report, SetReport

__all__ = [
    'NamedSet', 'Report', 'SetReport', 'check_data_sets', 'configured_sets', 'folder_set']
