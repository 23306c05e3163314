"""Pictures of segments with their names, of comparisons, of a training and of results."""

from .charts import draw_bars, draw_lines, draw_maps
from .labels import draw_labels
from .panoptic_visualizer import PanopticVisualizer
from .picture_grid import picture_grid
from .segments import enlarge, paint_segments
from .training_curve import draw_training_curve, read_losses

__all__ = [
    'PanopticVisualizer',
    'draw_bars',
    'draw_labels',
    'draw_lines',
    'draw_maps',
    'draw_training_curve',
    'enlarge',
    'paint_segments',
    'picture_grid',
    'read_losses',
]
