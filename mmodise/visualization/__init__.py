"""Pictures of segments with their names, of comparisons and of a training."""

from .labels import draw_labels
from .panoptic_visualizer import PanopticVisualizer
from .picture_grid import picture_grid
from .segments import enlarge, paint_segments
from .training_curve import draw_training_curve, read_losses

__all__ = [
    'PanopticVisualizer',
    'draw_labels',
    'draw_training_curve',
    'enlarge',
    'paint_segments',
    'picture_grid',
    'read_losses',
]
