"""The label of void, which must never be that of a class."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

#: What mmdet's and mmsegmentation's steps fill with where there is no image.
FILL = 255

Map = TypeVar('Map')


def void_label(num_classes: int) -> int:
    """The label of pixels without a class: mmdet's 255, or if that is a class the one after all."""
    return max(FILL, num_classes)


def label_dtype(void: int) -> type:
    """What holds labels and void: bytes, as mmdet's, as long as they do."""
    return np.uint8 if void <= FILL else np.int32


def swap_fill(labels: Map, void: int) -> Map:
    """Exchange the labels 255 and void, in place; nothing to do where they are the same.

    In a pipeline void is 255, as mmdet's steps fill with it, and the class of label 255 has void's
    until the sample is packed.

    Args:
        labels (ndarray | Tensor): Any shape.
        void (int): Of :func:`void_label`.
    """
    if void != FILL:
        is_fill, is_void = labels == FILL, labels == void
        labels[is_fill], labels[is_void] = void, FILL
    return labels
