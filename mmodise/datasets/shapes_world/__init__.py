"""A small world that can be drawn without end: toys with attributes on textured ground."""

from mmodise.datasets.shapes_world.captions import write_captions
from mmodise.datasets.shapes_world.classes import (
    BASE_STUFF,
    BASE_THINGS,
    NOVEL_CLASSES,
    NOVEL_STUFF,
    NOVEL_THINGS,
    SHAPES,
    STUFF,
    THINGS,
    palette,
)
from mmodise.datasets.shapes_world.pictures import Picture, draw_picture
from mmodise.datasets.shapes_world.scene import Scene, draw_portrait, draw_scene
from mmodise.datasets.shapes_world.stuff import SIZE

__all__ = [
    'BASE_STUFF',
    'BASE_THINGS',
    'NOVEL_CLASSES',
    'NOVEL_STUFF',
    'NOVEL_THINGS',
    'SHAPES',
    'SIZE',
    'STUFF',
    'THINGS',
    'Picture',
    'Scene',
    'draw_picture',
    'draw_portrait',
    'draw_scene',
    'palette',
    'write_captions',
]
