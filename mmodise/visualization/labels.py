"""Places for the names of segments: inside them, and none over another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .colors import Color

_MAX_SIDE = 640  # of the reduced map in which places are looked for
_SIZES = 1.0, 0.8, 0.65  # of the font; the first at which a label fits is taken
_SMALLEST_FONT = 10
# Share of a label that lies on its segment: enough at any size, and at the smallest.
_FITS, _FITS_BARELY = 0.95, 0.7


class Label(NamedTuple):
    """Where the name of a segment is written.

    Args:
        text (str): The name.
        corner (tuple[int, int]): Left and top of its plate.
        size (tuple[int, int]): Width and height of the plate.
        font_size (int): In pixels.
        color (tuple[int, int, int]): Of the rim.
        is_loud (bool): Whether the plate is dark and has a rim.
    """

    text: str
    corner: tuple[int, int]
    size: tuple[int, int]
    font_size: int
    color: Color
    is_loud: bool


class Place(NamedTuple):
    """The best place for a label in a reduced map: its centre, and how much is on the segment."""

    x: int
    y: int
    share: float


@cache
def load_font(size: int) -> ImageFont.FreeTypeFont:
    """The font that matplotlib brings; it has accents, Greek and Cyrillic."""
    path = Path(matplotlib.get_data_path(), 'fonts/ttf/DejaVuSans.ttf')
    return ImageFont.truetype(str(path), size)


def place_labels(
    numbers: np.ndarray, names: Sequence[str], colors: Sequence[Color],
    is_loud: Sequence[bool], font_size: int,
) -> list[Label | None]:
    """Find places for labels, whose centres are on their segments.

    Args:
        numbers (ndarray): (H, W), n in the n-th segment, from 1; 0 elsewhere.
        names (Sequence[str]): One per segment.
        colors (Sequence[tuple[int, int, int]]): One per segment.
        is_loud (Sequence[bool]): Labels of the others are smaller and quieter.
        font_size (int): Of loud labels, where there is room, in pixels.

    Returns:
        list[Label | None]: Of each segment; None where there is no room.
    """
    step = -(-max(numbers.shape) // _MAX_SIDE)
    small = numbers[step // 2::step, step // 2::step]
    taken = np.zeros(small.shape, np.float32)
    labels: list[Label | None] = [None] * len(names)
    areas = np.bincount(small.ravel(), minlength=len(names) + 1)[1:]
    # small segments choose first: a large one has room elsewhere
    for index in np.argsort(areas, kind='stable').tolist():
        if areas[index] and names[index].strip():
            size = font_size if is_loud[index] else 0.85 * font_size
            labels[index] = _place(
                small == index + 1, taken, step,
                [_make_label(names[index], max(round(size * share), _SMALLEST_FONT),
                             colors[index], is_loud[index]) for share in _SIZES])
    return labels


def draw_labels(image: np.ndarray, labels: Sequence[Label]) -> np.ndarray:
    """Write labels on dark plates, the loud ones with a rim of the segment's colour.

    Args:
        image (ndarray): RGB, uint8, (H, W, 3).
        labels (Sequence[Label]): Where they are.

    Returns:
        ndarray: RGB, uint8, (H, W, 3).
    """
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture, 'RGBA')
    for label in labels:
        (x, y), (width, height), font = label.corner, label.size, load_font(label.font_size)
        rim = dict(outline=label.color, width=max(1, label.font_size // 12))
        draw.rounded_rectangle(
            (x, y, x + width - 1, y + height - 1), radius=height // 4,
            fill=(0, 0, 0, 175 if label.is_loud else 105), **(rim if label.is_loud else {}))
        draw.text((x + width / 2, y + height / 2), label.text, font=font, anchor='mm',
                  fill='white' if label.is_loud else (255, 255, 255, 225))
    return np.asarray(picture)


def _make_label(name: str, font_size: int, color: Color, is_loud: bool) -> Label:
    font = load_font(font_size)
    ascent, descent = font.getmetrics()
    size = round(font.getlength(name)) + font_size, round(0.95 * (ascent + descent))
    return Label(name, (0, 0), size, font_size, color, is_loud)


def _place(
    mask: np.ndarray, taken: np.ndarray, step: int, labels: Sequence[Label]
) -> Label | None:
    """Place the first of the labels, from large to small, that fits; mark what it takes."""
    for label in labels:
        # a pixel more to each side: rounding, and space between labels
        size = tuple(-(-side // step) + 2 for side in label.size)
        place = _best_place(mask, taken, size)
        if place and place.share >= (_FITS_BARELY if label is labels[-1] else _FITS):
            left, top = place.x - size[0] // 2, place.y - size[1] // 2
            taken[top:top + size[1], left:left + size[0]] = 1
            return label._replace(corner=(
                place.x * step + step // 2 - label.size[0] // 2,
                place.y * step + step // 2 - label.size[1] // 2))
    return None


def _best_place(mask: np.ndarray, taken: np.ndarray, size: tuple[int, int]) -> Place | None:
    """Where most of a label is on the mask, none on other labels, and its centre deep inside."""
    (width, height), (rows, columns) = size, mask.shape
    if width > columns or height > rows:
        return None
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    # centres on the mask that keep the label in the image
    left, right = max(x, width // 2), min(x + w, columns - width + width // 2 + 1)
    top, bottom = max(y, height // 2), min(y + h, rows - height + height // 2 + 1)
    if left >= right or top >= bottom:
        return None
    window = (slice(top - height // 2, bottom + height - height // 2 - 1),
              slice(left - width // 2, right + width - width // 2 - 1))
    inner = (slice(top, bottom), slice(left, right))
    share = _box_sums(mask[window], size) / (width * height)
    depth = cv2.distanceTransform(
        np.pad(mask[y:y + h, x:x + w], 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    fit = share + 0.3 * depth[top - y:bottom - y, left - x:right - x] / depth.max()
    fit[(_box_sums(taken[window], size) > 0.5) | ~mask[inner]] = -1
    row, column = np.unravel_index(fit.argmax(), fit.shape)
    if fit[row, column] < 0:
        return None
    return Place(int(column) + left, int(row) + top, float(share[row, column]))


def _box_sums(area: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Sums of an area under a box at all places where it fits, (H - height + 1, W - width + 1)."""
    width, height = size
    sums = cv2.integral(area.astype(np.uint8))
    return (sums[height:, width:] - sums[:-height, width:]
            - sums[height:, :-width] + sums[:-height, :-width])
