"""Panoptic quality of one image, from the maps of its segments in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

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
    stats, shared = PQStat(), shared_pixels(truth, predicted, len(labels))
    found, used = set(), set()
    for place, column, overlap in best_pairs(truth, shared):
        label = truth.infos[place]['label']
        if label == labels[column]:
            stats[label].tp += 1
            stats[label].iou += overlap
            found.add(place)
            used.add(column)
    for place, info in enumerate(truth.infos):
        if not info['iscrowd'] and place not in found:
            stats[info['label']].fn += 1
    for column in wrong_columns(truth, shared, labels, used):
        stats[labels[column]].fp += 1
    return stats


def shared_pixels(truth: Segments, predicted: np.ndarray, count: int) -> np.ndarray:
    """Count the pixels of each annotated segment in each predicted one.

    Args:
        truth (Segments): N annotated segments.
        predicted (ndarray): (H, W), 0 where nothing is predicted, n in the n-th segment.
        count (int): Of the predicted segments.

    Returns:
        ndarray: (N + 1, count + 1); row and column 0 are void.
    """
    columns = count + 1
    pairs = truth.numbers.astype(np.int64) * columns + predicted
    shared = np.bincount(pairs.ravel(), minlength=(len(truth.infos) + 1) * columns)
    return shared.reshape(-1, columns)


def overlaps(truth: Segments, shared: np.ndarray) -> np.ndarray:
    """Intersections over unions without void, (N, count), of :func:`shared_pixels`."""
    # areas that a file gives may be less than what is shared
    unions = np.maximum(truth.areas[:, None] + shared[1:].sum(0) - shared[1:], shared[1:])
    return (shared[1:] / unions)[:, 1:]


def best_pairs(truth: Segments, shared: np.ndarray) -> Iterator[tuple[int, int, float]]:
    """Pairs whose overlap exceeds 0.5, whatever they are called; no groups of things.

    A segment is in one of them at most.

    Yields:
        tuple[int, int, float]: Places of the annotated and of the predicted segment, from 0 on, and
        the overlap.
    """
    found = overlaps(truth, shared)
    for place, column in np.argwhere(found > 0.5).tolist():
        if not truth.infos[place]['iscrowd']:
            yield place, column, found[place, column]


def wrong_columns(
    truth: Segments, shared: np.ndarray, labels: Sequence[int], used: Collection[int]
) -> Iterator[int]:
    """Predicted segments that are wrong: not used, and not for the most part void or in a group.

    Args:
        truth (Segments): The annotated segments.
        shared (ndarray): Of :func:`shared_pixels`.
        labels (Sequence[int]): Of each predicted segment.
        used (Collection[int]): Places of those that match.
    """
    # of several groups the last, as panopticapi has it
    groups = {info['label']: place + 1 for place, info in enumerate(truth.infos)
              if info['iscrowd']}
    for column, label in enumerate(labels):
        if column not in used:
            ignored = shared[0, column + 1]
            if label in groups:
                ignored = ignored + shared[groups[label], column + 1]
            if ignored <= 0.5 * shared[:, column + 1].sum():
                yield column
