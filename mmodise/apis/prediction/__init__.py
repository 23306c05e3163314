"""Predictions for many inputs, into a folder: what the command ``predict`` does."""

from .ledger import Ledger
from .run import PredictionRun, Settings
from .sources import Job, list_jobs
from .summary import Summary

__all__ = ['Job', 'Ledger', 'PredictionRun', 'Settings', 'Summary', 'list_jobs']
