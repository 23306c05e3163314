"""What every format of masks is read into: masks of a picture, and what reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

Shape = tuple[int, int]


class MaskFileError(ValueError):
    """Masks that cannot be used; names the file, the entry or the picture, and what to do."""


class PictureMasks(NamedTuple):
    """Masks of a picture.

    Attributes:
        masks: bool, (N, H, W), of the picture's own size. They may overlap, and may be empty.
        scores: Probability that each is an object or a region, float, (N,); None if the file does
            not say.
    """

    masks: np.ndarray
    scores: np.ndarray | None = None


@dataclass(frozen=True)
class MaskEntry:
    """Masks of a picture in a file, which are read when they are asked for.

    Args:
        name (str | int): The picture, as the file names it; an integer is the number in its name.
        shape (tuple[int, int], optional): Height and width of the masks; None where the file does
            not say.
        read (Callable): Reads them, given the height and width of the picture.
        file (Path): The file, for messages.
    """

    name: str | int
    shape: Shape | None
    read: Callable[[Shape], PictureMasks]
    file: Path
