"""One test of a model on several data sets."""

from .loop import DataSetsTestLoop, PendingSampler
from .report import DataSetsReport

__all__ = ['DataSetsReport', 'DataSetsTestLoop', 'PendingSampler']
