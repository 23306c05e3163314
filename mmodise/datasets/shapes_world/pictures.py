"""Captioned pictures of all classes of the world, for the frozen models to learn it from."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mmodise.datasets.shapes_world.captions import (
    write_captions,
    write_captions_of_little,
)
from mmodise.datasets.shapes_world.classes import STUFF, THINGS
from mmodise.datasets.shapes_world.scene import (
    Scene,
    draw_landscape,
    draw_portrait,
    draw_scene,
)

# Scenes alone teach little about the shape of a thing; most pictures show less.
_SHARES = {'scene': 0.4, 'thing': 0.35, 'landscape': 0.15, 'texture': 0.1}


class Picture(NamedTuple):
    """An image with what can be said of it."""

    image: np.ndarray
    """(SIZE, SIZE, 3) uint8, RGB."""
    captions: list[str]
    class_names: tuple[str, ...]
    """The class of each of its segments, things first."""


def draw_picture(seed: int, index: int) -> Picture:
    """Draw a scene, one thing, stuff without things, or one texture.

    Args:
        seed (int): Equal seeds and indices give equal pictures.
        index (int): Number of the picture, from 0.

    Returns:
        Picture: Single things and textures take turns, so that none is rare.
    """
    rng = np.random.default_rng((seed, index))
    kind = str(rng.choice(list(_SHARES), p=list(_SHARES.values())))
    if kind == 'scene':
        return _describe(draw_scene(rng), write_captions, rng)
    if kind == 'landscape':
        return _describe(draw_landscape(rng), write_captions_of_little, rng)
    classes = list(THINGS if kind == 'thing' else STUFF)
    return draw_portrait_picture(rng, classes[index % len(classes)])


def draw_portrait_picture(rng: np.random.Generator, class_name: str) -> Picture:
    """Draw the portrait of a class, with captions."""
    return _describe(draw_portrait(rng, class_name), write_captions_of_little, rng)


def _describe(scene: Scene, write: Callable, rng: np.random.Generator) -> Picture:
    return Picture(scene.image, write(scene, rng), scene.class_names)
