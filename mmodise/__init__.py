"""Open-vocabulary panoptic segmentation with text-to-image diffusion models, for MMDetection.

Importing the package registers its parts with mmdet. In a config:
``custom_imports = dict(imports=['mmodise'], allow_failed_imports=False)``.
"""

from mmodise import compat

compat.install()  # before mmdet is imported for the first time, which the next line does

from mmodise import checkpoints, datasets, engine, evaluation, models, visualization  # noqa: E402
from mmodise.version import __version__  # noqa: E402

__all__ = [
    '__version__', 'checkpoints', 'compat', 'datasets', 'engine', 'evaluation', 'models',
    'visualization']
