"""Steps of data pipelines that mmdet lacks."""

from mmodise.datasets.transforms.draw_words import DrawWords
from mmodise.datasets.transforms.load_panoptic_if_any import LoadPanopticIfAny

__all__ = ['DrawWords', 'LoadPanopticIfAny']
