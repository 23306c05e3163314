"""Captioned pictures of all classes of the world, for the frozen models to learn it from."""

from typing import NamedTuple

import numpy as np

from mmodise.datasets.shapes_world.captions import (
    write_background_captions,
    write_captions,
    write_captions_of_little,
)
from mmodise.datasets.shapes_world.classes import STUFF, THINGS
from mmodise.datasets.shapes_world.scene import (
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
    classes = list(STUFF if kind == 'texture' else THINGS)
    if kind == 'scene':
        scene, write = draw_scene(rng), write_captions
    elif kind == 'landscape':
        scene, write = draw_landscape(rng), write_captions_of_little
    else:
        scene, write = draw_portrait(rng, classes[index % len(classes)]), write_captions_of_little
    captions = write(scene, rng)
    if kind in ('scene', 'thing'):
        # Else stuff is never called by its name where a thing is near, and CLIP looks for things
        # wherever it is asked about stuff.
        captions += write_background_captions(scene, rng)
    return Picture(scene.image, captions, scene.class_names)
