"""A semantic map: a PNG with the class of each pixel, and a list of what its values mean."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ...visualization import class_color

if TYPE_CHECKING:
    from ..panoptic_result import PanopticResult

_SMALL, _LARGE = 255, 65535


def encode_class_map(result: PanopticResult, path: Path) -> dict[Path, bytes]:
    """Make ``NAME.png``, and ``NAME.txt`` with a line ``VALUE: name`` for each class.

    Up to 255 classes are 8 bits, in colours; void is 255. More are 16 bits, and void is 65535.

    Raises:
        ValueError: If there are more classes than 16 bits can number.
    """
    names = result.vocabulary.class_names
    if len(names) > _LARGE:
        raise ValueError(
            f'{path}: a PNG numbers {_LARGE:,} classes at most, the vocabulary has '
            f"{len(names):,}. Save as 'coco-panoptic' or 'json'.")
    void = _SMALL if len(names) <= _SMALL else _LARGE
    lines = [f'# {void}: void', *(f'{value}: {" ".join(name.split())}'
                                  for value, name in enumerate(names))]
    return {path: _png(result, void), path.with_suffix('.txt'): '\n'.join([*lines, '']).encode()}


def _png(result: PanopticResult, void: int) -> bytes:
    values = result.paint([segment.label for segment in result.segments], void)
    image = Image.fromarray(values.astype(np.uint8 if void == _SMALL else np.uint16))
    if void == _SMALL:
        colors = [class_color(name) for name in result.vocabulary.class_names]
        colors += [(0, 0, 0)] * (_SMALL + 1 - len(colors))
        image.putpalette([channel for color in colors for channel in color])
    png = io.BytesIO()
    image.save(png, 'PNG')
    return png.getvalue()
