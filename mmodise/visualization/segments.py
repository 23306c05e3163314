"""An image under the colours, the borders and the names of its segments."""

from __future__ import annotations

import colorsys
from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
from mmdet.evaluation.functional import INSTANCE_OFFSET

from .labels import Color, draw_labels

_GOLDEN_RATIO = 0.618034  # steps of it around the circle of hues stay far apart, however many
# Saturation and value. Labels whose hues are close differ by 8, 13, 21 ...: their tones differ.
_TONES = ((0.9, 1.0), (0.5, 1.0), (0.95, 0.65), (0.7, 0.85), (0.4, 0.9))
_VOID_BRIGHTNESS = 0.4
_SMALLEST_LABELLED = 5e-4  # of the image; names of smaller segments would hide the others


def paint_segments(
    image: np.ndarray, segment_map: np.ndarray, class_names: Sequence[str], opacity: float = 0.6
) -> np.ndarray:
    """Paint every segment in a colour of its own, with a white border and its name.

    Segments of one class have shades of one hue. Void is dark grey.

    Args:
        image (ndarray): RGB, uint8, (H, W, 3).
        segment_map (ndarray): mmdet's panoptic result, class + 1000 x instance, (H, W). A class
            that has no name is void.
        class_names (Sequence[str]): One a class.
        opacity (float): Of the colours, 0 to 1. Defaults to 0.6.

    Returns:
        ndarray: RGB, uint8, (H, W, 3).
    """
    segment_ids = [i for i in np.unique(segment_map) if i % INSTANCE_OFFSET < len(class_names)]
    masks = [segment_map == segment_id for segment_id in segment_ids]
    colors = segment_colors(segment_ids)
    painted = np.repeat(_VOID_BRIGHTNESS * image.mean(axis=-1, keepdims=True), 3, axis=-1)
    for mask, color in zip(masks, colors, strict=True):
        painted[mask] = (1 - opacity) * image[mask] + opacity * np.float32(color)
    painted[_borders(segment_map)] = 255
    labelled = [i for i, mask in enumerate(masks) if mask.mean() >= _SMALLEST_LABELLED]
    return draw_labels(
        painted.round().astype(np.uint8),
        [masks[i] for i in labelled],
        [class_names[segment_ids[i] % INSTANCE_OFFSET] for i in labelled],
        [colors[i] for i in labelled])


def segment_colors(segment_ids: Sequence[int]) -> list[Color]:
    """RGB colours, 0 to 255: a hue a class, thirty shades for its segments."""
    colors, shades = [], Counter()
    for segment_id in segment_ids:
        label = int(segment_id) % INSTANCE_OFFSET
        shade = shades[label]
        shades[label] += 1
        saturation, value = _TONES[label % len(_TONES)]
        hue = (label * _GOLDEN_RATIO + 0.02 * (shade % 5)) % 1
        rgb = colorsys.hsv_to_rgb(
            hue, saturation * (1 - 0.2 * (shade % 3)), value * (1 - 0.25 * (shade % 2)))
        colors.append(tuple(round(255 * channel) for channel in rgb))
    return colors


def enlarge(
    image: np.ndarray, segment_map: np.ndarray, min_side: int = 480, max_side: int = 1920
) -> tuple[np.ndarray, np.ndarray]:
    """Scale a small image up by a whole factor, so that names can be read on it.

    Args:
        image (ndarray): RGB, uint8, (H, W, 3).
        segment_map (ndarray): (H, W), any integers.
        min_side (int): What the shorter side shall have at least, in pixels. Defaults to 480.
        max_side (int): What the longer side shall not exceed, so that a strip does not become a
            picture without end. Defaults to 1920.

    Returns:
        tuple[ndarray, ndarray]: Both, scaled by the same factor; as they are where it is 1.
    """
    factor = min(-(-min_side // min(segment_map.shape)), max_side // max(segment_map.shape))
    if factor <= 1:
        return image, segment_map
    size = tuple(factor * side for side in segment_map.shape[::-1])
    segment_ids, indices = np.unique(segment_map, return_inverse=True)
    indices = indices.reshape(segment_map.shape)
    # the segment with the largest share of each new pixel: smooth borders in place of stairs
    shares = [cv2.resize(np.float32(indices == i), size) for i in range(len(segment_ids))]
    return (cv2.resize(image, size, interpolation=cv2.INTER_CUBIC),
            segment_ids[np.argmax(shares, axis=0)])


def _borders(segment_map: np.ndarray) -> np.ndarray:
    """Pixels that touch another segment, (H, W) bool."""
    # float32 holds class + 1000 x instance exactly, and OpenCV's morphology knows no int64
    return cv2.morphologyEx(np.float32(segment_map), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
