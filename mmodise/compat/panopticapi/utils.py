"""COCO's panoptic PNG and JSON files, under panopticapi's names."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np


def rgb2id(color: np.ndarray | Sequence[int]) -> np.ndarray | int:
    """Convert colours to segment ids: R + 256 G + 256^2 B.

    Args:
        color (ndarray | Sequence[int]): Either an RGB image of shape (..., 3), or one colour.

    Returns:
        ndarray | int: int32 ids of shape (...), or one id.
    """
    if not isinstance(color, np.ndarray):
        red, green, blue = color
        return int(red + 256 * green + 256**2 * blue)
    red, green, blue = np.moveaxis(color[..., :3].astype(np.int32), -1, 0)
    return red + 256 * green + 256**2 * blue


def id2rgb(segment_id: np.ndarray | int) -> np.ndarray | list[int]:
    """Convert segment ids to colours; the inverse of :func:`rgb2id`.

    Args:
        segment_id (ndarray | int): Ids in [0, 256^3), either an array of any shape or one id.

    Returns:
        ndarray | list[int]: uint8 RGB of shape (..., 3), or the three numbers of one colour.
    """
    if not isinstance(segment_id, np.ndarray):
        return [int(segment_id) // 256**byte % 256 for byte in range(3)]
    bytes_ = [segment_id // 256**byte % 256 for byte in range(3)]
    return np.stack(bytes_, axis=-1).astype(np.uint8)


class IdGenerator:
    """Gives segments ids whose colours are unlike each other and like their category's.

    All segments of a stuff category have its colour; of a thing category the first has it, and
    the others a random one near it. The same calls give the same ids.

    Args:
        categories (dict[int, dict]): Categories by id, each with ``color`` (three numbers from
            0 to 255) and ``isthing`` (0 or 1).
    """

    _MAX_DISTANCE = 30  # of a channel from the category's colour, while there is room

    def __init__(self, categories: dict[int, dict]) -> None:
        self.categories = categories
        self._random = np.random.default_rng(0)
        # Black is VOID, and stuff colours stay with their categories.
        self._taken = {(0, 0, 0)} | {
            tuple(category['color']) for category in categories.values() if not category['isthing']
        }

    def get_color(self, cat_id: int) -> list[int]:
        """Give a colour for a new segment of a category."""
        category = self.categories[cat_id]
        color = tuple(category['color'])
        if not category['isthing']:
            return list(color)
        distance = self._MAX_DISTANCE
        while color in self._taken:
            offset = self._random.integers(-distance, distance + 1, size=3)
            color = tuple(int(c) for c in np.clip(offset + category['color'], 0, 255))
            distance = min(distance + 1, 255)  # ever further away: a free colour is found
        self._taken.add(color)
        return list(color)

    def get_id(self, cat_id: int) -> int:
        """Give an id for a new segment of a category."""
        return rgb2id(self.get_color(cat_id))

    def get_id_and_color(self, cat_id: int) -> tuple[int, list[int]]:
        """Give an id, and its colour, for a new segment of a category."""
        color = self.get_color(cat_id)
        return rgb2id(color), color


def save_json(content: dict, file: str) -> None:
    """Write a dictionary to a JSON file."""
    with open(file, 'w', encoding='utf-8') as stream:
        json.dump(content, stream)
