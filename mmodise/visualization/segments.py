"""mmdet's panoptic results as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from mmdet.evaluation.functional import INSTANCE_OFFSET

from .panoptic_picture import draw_panoptic, number_segments


class _Drawn(NamedTuple):
    id: int
    name: str
    is_thing: bool


def paint_segments(
    image: np.ndarray, segment_map: np.ndarray, class_names: Sequence[str], opacity: float = 0.6
) -> np.ndarray:
    """Draw mmdet's panoptic result as :func:`draw_panoptic` does, at the size of the image.

    Args:
        image (ndarray): RGB, uint8, (H, W, 3).
        segment_map (ndarray): mmdet's panoptic result, class + 1000 x instance, (H, W). A class
            that has no name is void; one without an instance is stuff.
        class_names (Sequence[str]): One a class.
        opacity (float): Of the colours of things, 0 to 1. Defaults to 0.6.

    Returns:
        ndarray: RGB, uint8, (H, W, 3).
    """
    ids = [i for i in np.unique(segment_map).tolist() if i % INSTANCE_OFFSET < len(class_names)]
    segments = [_Drawn(place, class_names[i % INSTANCE_OFFSET], i >= INSTANCE_OFFSET)
                for place, i in enumerate(ids, start=1)]
    return draw_panoptic(
        image, number_segments(segment_map, ids), segments, opacity=opacity, legend=False)


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
    largest = cv2.resize(np.float32(indices == 0), size)
    owners = np.full(largest.shape, segment_ids[0])
    for place, segment_id in enumerate(segment_ids[1:], start=1):
        share = cv2.resize(np.float32(indices == place), size)
        np.copyto(owners, segment_id, where=share > largest)
        np.maximum(largest, share, out=largest)
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), owners
