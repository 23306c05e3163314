"""Pictures of the embedded data set to begin with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ...datasets.shapes_world import draw_scene

_SEEDS = (6, 12, 16, 18, 19, 11)  # pictures of what the small model knows


def write_examples(folder: Path) -> list[Path]:
    """Draw scenes of the shapes world, the same ones each time.

    Args:
        folder (Path): Gets the files.
    """
    paths = []
    for number, seed in enumerate(_SEEDS, start=1):
        path = folder / f'example-{number}.png'
        Image.fromarray(draw_scene(np.random.default_rng((2023, seed))).image).save(path)
        paths.append(path)
    return paths
