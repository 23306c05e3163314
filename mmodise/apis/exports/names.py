"""What files say of the picture that a result is of."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..panoptic_result import PanopticResult


def picture_name(result: PanopticResult, path: Path) -> str:
    """The name of the picture, without folders; one like the file's where it has none.

    Args:
        result (PanopticResult): Of the picture.
        path (Path): The file that tells it.
    """
    return Path(result.path).name if result.path else f'{path.stem}.jpg'


def json_number(number: float) -> float | None:
    """A number as JSON has it: not a number is null."""
    return None if math.isnan(number) else number
