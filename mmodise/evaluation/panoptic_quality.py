"""Panoptic quality of one image, from the maps of its segments in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from panopticapi.evaluation import PQStat

from ..datasets.panoptic.segments import Segments


def match_segments(truth: Segments, predicted: np.ndarray, labels: Sequence[int]) -> PQStat:
    """Match predicted with annotated segments, as Kirillov et al. (CVPR 2019) and panopticapi do.

    A pair of one class whose intersection over union, void not counted, is over 0.5 is a match. A
    prediction without a match does not count if more than half of it lies on void, or on a group
    of things of its class.

    Args:
        truth (Segments): The annotated segments, each with its ``label`` and ``iscrowd``.
        predicted (ndarray): (H, W), 0 where nothing is predicted, n in the n-th segment.
        labels (Sequence[int]): Of each predicted segment.

    Returns:
        PQStat: Counts and sums of intersections over union by label.
    """
    stats, columns = PQStat(), len(labels) + 1
    pairs = truth.numbers.astype(np.int64) * columns + predicted
    shared = np.bincount(pairs.ravel(), minlength=(len(truth.infos) + 1) * columns)
    shared = shared.reshape(-1, columns)  # pixels by annotated and predicted segment, 0 is void
    found, used = set(), set()
    for place, column in np.argwhere(shared[1:, 1:]):
        info, pixels = truth.infos[place], shared[place + 1, column + 1]
        if info['iscrowd'] or info['label'] != labels[column]:
            continue
        # areas that a file gives may be less than what is shared
        union = max(truth.areas[place] + shared[1:, column + 1].sum() - pixels, pixels)
        if pixels / union > 0.5:
            stats[info['label']].tp += 1
            stats[info['label']].iou += pixels / union
            found.add(place)
            used.add(column)
    groups = {}
    for place, info in enumerate(truth.infos):
        if info['iscrowd']:
            groups[info['label']] = place + 1  # of several, the last, as panopticapi has it
        elif place not in found:
            stats[info['label']].fn += 1
    for column, label in enumerate(labels):
        if column not in used:
            ignored = shared[0, column + 1]
            if label in groups:
                ignored = ignored + shared[groups[label], column + 1]
            if ignored <= 0.5 * shared[:, column + 1].sum():
                stats[label].fp += 1
    return stats
