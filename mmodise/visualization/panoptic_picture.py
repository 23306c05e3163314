"""A picture of the segments of an image, with their names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from .colors import class_color
from .labels import draw_labels, place_labels
from .legend import add_legend
from .painting import draw_outlines, paint_colors


class Drawn(Protocol):
    """What is drawn of a segment."""

    id: int
    name: str
    is_thing: bool


def draw_panoptic(
    image: np.ndarray, segment_ids: np.ndarray, segments: Sequence[Drawn], *,
    opacity: float = 0.6, labels: bool = True, legend: bool = True,
) -> np.ndarray:
    """Draw segments in the colours of their classes, with outlines and names.

    Colours depend on names alone, see :func:`class_color`. Things are brighter than stuff, void is
    dark grey. A name is written where most of it fits into its segment, and never over another.

    Args:
        image (ndarray): RGB, uint8, (H, W, 3).
        segment_ids (ndarray): The segment of each pixel, (H, W), not negative; others than those of
            ``segments`` are void.
        segments (Sequence[Drawn]): ``id``, ``name`` and ``is_thing`` of each.
        opacity (float): Of the colours of things, 0 to 1. Defaults to 0.6.
        labels (bool): Whether names are written. Defaults to True.
        legend (bool): Whether classes without any label, for want of room, are listed in a strip
            below, which makes the picture higher. Defaults to True.

    Returns:
        ndarray: RGB, uint8, (H or more, W, 3).
    """
    numbers = number_segments(segment_ids, [segment.id for segment in segments])
    names = [segment.name for segment in segments]
    is_thing = [segment.is_thing for segment in segments]
    colors = [class_color(name) for name in names]
    picture = paint_colors(image, numbers, colors, is_thing, opacity)
    draw_outlines(picture, numbers, is_thing)
    if not labels:
        return picture
    font_size = max(11, round(math.sqrt(numbers.size) / 31))
    placed = place_labels(numbers, names, colors, is_thing, font_size)
    picture = draw_labels(picture, [label for label in placed if label])
    labelled = {label.text for label in placed if label}
    entries = {name: color for name, color in zip(names, colors, strict=True)
               if name not in labelled}
    return add_legend(picture, list(entries.items()), font_size) if legend else picture


def number_segments(segment_ids: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """Number segments from 1, in the order of ``ids``; 0 is all else.

    Args:
        segment_ids (ndarray): (H, W), not negative.
        ids (Sequence[int]): Those that count.

    Returns:
        ndarray: uint16, or int32 if there are more, (H, W).
    """
    count = max(int(segment_ids.max(initial=0)), *ids, 0) + 1
    table = np.zeros(count, np.uint16 if len(ids) < 1 << 16 else np.int32)
    table[list(ids)] = np.arange(1, len(ids) + 1)
    return table.take(segment_ids)
