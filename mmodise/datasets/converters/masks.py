"""Masks of polygons, run lengths and shapes, as pycocotools draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ...utils.masks import bounding_box, run_lengths
from .annotated import AnnotationError


def draw_polygons(
    polygons: Sequence[Sequence[float]], shape: tuple[int, int], where: str
) -> np.ndarray | None:
    """Mask of what is inside of any of several polygons, (H, W), bool.

    Args:
        polygons (Sequence[Sequence[float]]): Each x, y, x, y, ...
        shape (tuple[int, int]): Height and width.
        where (str): The file and the entry, for messages.

    Returns:
        ndarray | None: None if no polygon has three points.

    Raises:
        AnnotationError: If a polygon is no list of pairs of finite numbers.
    """
    check_polygons(polygons, where)
    drawn = [list(map(float, polygon)) for polygon in polygons if len(polygon) >= 6]
    if not drawn:
        return None
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(drawn, *shape))).astype(bool)


def check_polygons(polygons: Sequence[Sequence[float]], where: str) -> None:
    """Refuse polygons that are no lists of pairs of finite numbers.

    Raises:
        AnnotationError: Names the first of them.
    """
    for polygon in polygons:
        if not isinstance(polygon, (list, tuple)) or len(polygon) % 2 or not all(
                map(_is_finite, polygon)):
            raise AnnotationError(
                f'{where}: a polygon is {str(polygon)[:80]}. Expected a list x, y, x, y, ... of '
                'finite numbers.')


def decode_run_lengths(
    runs: Mapping[str, Any], shape: tuple[int, int], where: str
) -> np.ndarray:
    """Mask of COCO's run lengths, compressed or not, (H, W), bool.

    Raises:
        AnnotationError: If they are of another size, or of another number of pixels.
    """
    check_run_lengths(runs, shape, where)
    counts = runs['counts']
    if isinstance(counts, list):
        values = np.arange(len(counts)) % 2 == 1
        return np.repeat(values, np.array(counts, dtype=int)).reshape(shape, order='F')
    return coco_mask.decode(dict(size=list(shape), counts=counts)).astype(bool)


def check_run_lengths(runs: Mapping[str, Any], shape: tuple[int, int], where: str) -> None:
    """Refuse run lengths that cannot be decoded.

    Raises:
        AnnotationError: As :func:`decode_run_lengths`.
    """
    size, counts = runs.get('size'), runs.get('counts')
    if size is None or list(size) != list(shape):
        raise AnnotationError(
            f"{where}: the run lengths have 'size' {size}, the picture has {list(shape)} (height, "
            'width). They must be equal.')
    if isinstance(counts, list):
        if not all(map(_is_finite, counts)) or sum(counts) != math.prod(shape) or min(counts) < 0:
            raise AnnotationError(
                f'{where}: the run lengths do not add up to the {math.prod(shape)} pixels of the '
                'picture.')
    elif not isinstance(counts, (str, bytes)) or not counts:
        raise AnnotationError(f"{where}: 'counts' of the run lengths is {str(counts)[:80]!r}.")
    else:
        _check_compressed(counts, shape, where)


def _check_compressed(counts: str | bytes, shape: tuple[int, int], where: str) -> None:
    """Add run lengths up by hand, for pycocotools reads beyond the end of those that do not fit."""
    digits = np.frombuffer(counts.encode() if isinstance(counts, str) else counts, np.uint8)
    digits = digits.astype(np.int64) - 48
    last = np.flatnonzero(digits & 32 == 0)  # of each number, five bits a digit, the lowest first
    lengths = np.diff(last, prepend=-1)
    if digits[-1] & 32 or digits.min() < 0 or digits.max() > 63 or lengths.max() > 7:
        runs = np.array([-1])
    else:
        firsts = last - lengths + 1
        shifts = 5 * (np.arange(len(digits)) - np.repeat(firsts, lengths))
        runs = np.add.reduceat((digits & 31) << shifts, firsts)
        runs -= np.where(digits[last] & 16, 1 << 5 * lengths, 0)
        for start in (1, 2):  # later ones are differences to the last but one
            runs[start::2] = np.cumsum(runs[start::2])
    if runs.min() < 0 or runs.sum() != math.prod(shape):
        raise AnnotationError(
            f'{where}: the compressed run lengths are not those of a picture of '
            f'{shape[1]} x {shape[0]} pixels.')


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def instance_entry(mask: np.ndarray, category_id: int, iscrowd: int = 0) -> dict:
    """What COCO's instance annotations say of a mask that is not empty, (H, W), bool.

    Returns:
        dict: ``category_id``, ``iscrowd``, ``area``, ``bbox`` and ``segmentation``.
    """
    return dict(category_id=category_id, iscrowd=iscrowd, area=int(mask.sum()),
                bbox=bounding_box(mask), segmentation=run_lengths(mask))
