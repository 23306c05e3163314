"""Files of weights: read safely, compared with a model, made into networks, converted."""

from .fit import CheckpointFit, check_untrained, load_fitting
from .reading import load_from_local, reading_safely
from .safe_loading import UnsafeFileError, keep_weights, load_safely, read_weights

__all__ = [
    'CheckpointFit', 'UnsafeFileError', 'check_untrained', 'keep_weights', 'load_fitting',
    'load_from_local', 'load_safely', 'read_weights', 'reading_safely']
