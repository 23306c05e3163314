"""Pictures of segments with their names, and of comparisons."""

from .labels import draw_labels
from .panoptic_visualizer import PanopticVisualizer
from .picture_grid import picture_grid
from .segments import enlarge, paint_segments

__all__ = ['PanopticVisualizer', 'draw_labels', 'enlarge', 'paint_segments', 'picture_grid']
