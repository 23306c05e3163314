"""An image under the colours and outlines of its segments."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .colors import Color

_VOID_BRIGHTNESS = 0.4
_STUFF_OPACITY = 0.7  # of that of things
_STUFF_GREY = 0.3  # share of grey in the colours of stuff
_BAND = 1 << 21  # pixels that are painted at once: floating point takes eight times the memory
_STUFF_LINE = 0.45  # opacity of the line between stuff


def paint_colors(
    image: np.ndarray, numbers: np.ndarray, colors: Sequence[Color], is_thing: Sequence[bool],
    opacity: float,
) -> np.ndarray:
    """Paint things in their colours, stuff in paler ones, and void dark grey.

    Args:
        image (ndarray): RGB, uint8, (H, W, 3).
        numbers (ndarray): (H, W), n in the n-th segment, from 1; 0 is void.
        colors (Sequence[tuple[int, int, int]]): One per segment.
        is_thing (Sequence[bool]): One per segment.
        opacity (float): Of the colours of things, 0 to 1.

    Returns:
        ndarray: RGB, uint8, (H, W, 3).
    """
    things = np.array([False, *is_thing])[:, None]
    table = np.array([(0, 0, 0), *colors], np.float32)
    grey = table.mean(axis=1, keepdims=True)
    table = np.where(things, table, table + _STUFF_GREY * (grey - table))
    opacities = np.where(things, opacity, opacity * _STUFF_OPACITY).astype(np.float32)
    table, kept = table * opacities, 1 - opacities
    painted = np.empty_like(image)
    rows = max(1, _BAND // image.shape[1])
    for top in range(0, len(image), rows):
        band = slice(top, top + rows)
        pixels, places = image[band].astype(np.float32), numbers[band]
        pixels *= kept.take(places, axis=0)
        pixels += table.take(places, axis=0)
        void = places == 0
        if void.any():
            pixels[void] = _VOID_BRIGHTNESS * image[band][void].mean(axis=-1, keepdims=True)
        painted[band] = np.rint(pixels)
    return painted


def draw_outlines(painted: np.ndarray, numbers: np.ndarray, is_thing: Sequence[bool]) -> None:
    """Draw white lines around things, and fainter ones between stuff.

    Args:
        painted (ndarray): RGB, uint8, (H, W, 3); changed in place.
        numbers (ndarray): (H, W), n in the n-th segment, from 1; 0 is void.
        is_thing (Sequence[bool]): One per segment.
    """
    width = max(1, round(min(numbers.shape) / 260))
    table = np.array([0, *(number * thing for number, thing in enumerate(is_thing, start=1))])
    around_things = _edges(table.take(numbers), width)
    between = _edges(numbers, max(1, width // 2)) & ~around_things
    painted[between] = np.rint(
        (1 - _STUFF_LINE) * painted[between] + _STUFF_LINE * 255).astype(np.uint8)
    painted[around_things] = 255


def _edges(numbers: np.ndarray, width: int) -> np.ndarray:
    """Pixels of lines between segments, (H, W), bool."""
    # OpenCV's morphology knows no int64; float32 holds these numbers exactly
    numbers = numbers.astype(np.uint16 if numbers.max(initial=0) < 1 << 16 else np.float32)
    square = np.ones((width + 1, width + 1), np.uint8)  # a round one would take its area in time
    return cv2.dilate(numbers, square) != cv2.erode(numbers, square)
