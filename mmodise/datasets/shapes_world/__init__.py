"""A small world that can be drawn without end: toys with attributes on textured ground."""

from mmodise.datasets.shapes_world.captions import write_captions
from mmodise.datasets.shapes_world.classes import (
    BASE_STUFF,
    BASE_THINGS,
    NOVEL_CLASSES,
    NOVEL_STUFF,
    NOVEL_THINGS,
    STUFF,
    THINGS,
    palette,
)
from mmodise.datasets.shapes_world.scene import Scene, draw_scene
from mmodise.datasets.shapes_world.stuff import SIZE

__all__ = [
    'BASE_STUFF',
    'BASE_THINGS',
    'NOVEL_CLASSES',
    'NOVEL_STUFF',
    'NOVEL_THINGS',
    'SIZE',
    'STUFF',
    'THINGS',
    'Scene',
    'draw_scene',
    'palette',
    'write_captions',
]
