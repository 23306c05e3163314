"""The segments of a panoptic result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from mmdet.evaluation import INSTANCE_OFFSET

from ..datasets.panoptic.segments import Runs


class PredictedSegments(NamedTuple):
    """The segments of mmdet's panoptic result.

    Args:
        ids (ndarray): Of each: class + 1000 x instance.
        numbers (ndarray): (H, W), 0 where there is none, n in the n-th.
        labels (list[int]): Of each.
    """

    ids: np.ndarray
    numbers: np.ndarray
    labels: list[int]


def predicted_segments(
    sample: Mapping, num_classes: int, known: Sequence[bool] | None = None
) -> PredictedSegments:
    """Number the segments of a result.

    Args:
        sample (Mapping): With ``pred_panoptic_seg``, and perhaps ``img_path``.
        num_classes (int): Of the data set; that label is void, and the result's own.
        known (Sequence[bool], optional): Of each class whether it counts; segments of others become
            void. Defaults to None, all do.

    Raises:
        ValueError: If it has a label that is neither a class nor void.
    """
    result = sample['pred_panoptic_seg']
    segments = result['sem_seg'].cpu().numpy()[0]
    voids = {num_classes, result.get('ignore_index', num_classes)}
    runs = Runs.of(segments)  # few, beside pixels
    values, places = np.unique(runs.values, return_inverse=True)
    labels = values % INSTANCE_OFFSET
    strange = [label for label in labels if label >= num_classes and label not in voids]
    if strange:
        raise ValueError(
            f'The result of {sample.get("img_path")} has a label {strange[0]}, and the data set '
            f'{num_classes} classes. Is it of another vocabulary?')
    kept = [place for place, label in enumerate(labels)
            if label not in voids and (known is None or known[label])]
    table = np.zeros(len(values), np.int64)
    table[kept] = np.arange(1, len(kept) + 1)
    return PredictedSegments(
        values[kept], runs.paint(table[places]), labels[kept].tolist())
