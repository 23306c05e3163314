"""Open-vocabulary panoptic segmentation with text-to-image diffusion models, for MMDetection.

From Python::

    from mmodise import ODISEInferencer
    result, = ODISEInferencer()('street.jpg', 'car; person', stuff='road; sky')

Importing the package registers its parts with mmdet. In a config:
``custom_imports = dict(imports=['mmodise'], allow_failed_imports=False)``.
"""

import sys

from mmodise.importing import without_collection
from mmodise.version import __version__

# `python -m mmodise` imports this first; what it runs reads its options, then imports it again.
if not (sys.argv[:1] == ['-m'] and sys.orig_argv[-len(sys.argv)] in ('mmodise', '-mmmodise')):
    with without_collection():
        from mmodise import compat

        compat.install()  # before mmdet is imported for the first time, which the next line does

        from mmodise import checkpoints, datasets, engine, evaluation, models, visualization

__all__ = [
    'ODISEInferencer', 'PanopticResult', 'Vocabulary', '__version__', 'checkpoints', 'compat',
    'datasets', 'engine', 'evaluation', 'models', 'visualization']


def __getattr__(name: str) -> object:
    """What people use from Python is imported when it is asked for: trainings do without."""
    if name in ('ODISEInferencer', 'PanopticResult'):
        from mmodise import apis
        return getattr(apis, name)
    if name == 'Vocabulary':
        from mmodise.vocabulary import Vocabulary
        return Vocabulary
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
