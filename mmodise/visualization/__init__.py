"""Pictures of segments with their names, and of comparisons."""

from .colors import class_color
from .panoptic_picture import draw_panoptic
from .panoptic_visualizer import PanopticVisualizer
from .picture_grid import picture_grid
from .segments import enlarge, paint_segments

__all__ = [
    'PanopticVisualizer', 'class_color', 'draw_panoptic', 'enlarge', 'paint_segments',
    'picture_grid']
