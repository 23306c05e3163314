"""Pictures of the embedded data set to begin with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ...datasets.shapes_world import draw_scene

_COUNT, _FACTOR = 8, 4


def write_examples(folder: Path) -> list[Path]:
    """Draw scenes of the shapes world, the same ones each time.

    Args:
        folder (Path): Gets the files.
    """
    paths = []
    for seed in range(_COUNT):
        path = folder / f'example-{seed + 1}.png'
        scene = Image.fromarray(draw_scene(np.random.default_rng((2023, seed))).image)
        scene.resize([_FACTOR * side for side in scene.size], Image.Resampling.BICUBIC).save(path)
        paths.append(path)
    return paths
