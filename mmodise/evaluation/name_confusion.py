"""Which name is taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..datasets.panoptic.segments import Segments
from .panoptic_quality import best_pairs, shared_pixels, wrong_columns
from .predicted_segments import PredictedSegments

#: What stands in place of a name where nothing is predicted, or nothing is annotated.
NOTHING = '(nothing)'


class ConfusedPair(NamedTuple):
    """A true name, and one that it is taken for.

    Args:
        truth (str): The true name.
        predicted (str): The name that is predicted; :data:`NOTHING` if none is.
        pixels (int): Of the true name that have the other.
        share (float): The same in percent of the true name's pixels.
        segments (int): True segments whose mask is found under the other name.
    """

    truth: str
    predicted: str
    pixels: int
    share: float
    segments: int


class NameConfusion:
    """Pixels and segments by true and by predicted name, summed over pictures.

    Void is treated as the metrics treat it: pixels that are void in the truth count nowhere, pixels
    without a prediction count as :data:`NOTHING`. A group of things (``iscrowd``) has its name in
    pixels, and is no segment.

    Segments are paired by their masks alone: with an overlap of more than 0.5, as for panoptic
    quality, whatever their names. A true segment without such a partner is taken for nothing; a
    predicted one without is one of nothing, unless it does not count in panoptic quality.

    Args:
        names (Sequence[str]): Of the K classes.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = (*names, NOTHING)
        size = len(self.names)
        #: (K + 1, K + 1), by true and predicted label; the last is nothing.
        self.pixels = np.zeros((size, size), np.int64)
        self.segments = np.zeros((size, size), np.int64)

    def add_labels(self, truth: np.ndarray, predicted: np.ndarray) -> None:
        """Add a picture with a label for each pixel.

        Args:
            truth (ndarray): (H, W); K where it is void.
            predicted (ndarray): (H, W); K and more where there is nothing.
        """
        size, counts = len(self.names), truth < len(self.names) - 1
        pairs = truth[counts].astype(np.int64) * size + predicted[counts].clip(max=size - 1)
        self.pixels += np.bincount(pairs, minlength=size * size).reshape(size, size)

    def add_segments(self, truth: Segments, predicted: PredictedSegments) -> None:
        """Add a picture with annotated and predicted segments.

        Args:
            truth (Segments): With ``label`` and ``iscrowd`` of each.
            predicted (PredictedSegments): The prediction.
        """
        nothing = len(self.names) - 1
        shared = shared_pixels(truth, predicted.numbers, len(predicted.labels))
        labels = np.array([info['label'] for info in truth.infos], dtype=int)
        names = np.array([nothing, *predicted.labels])
        np.add.at(self.pixels, (labels[:, None], names[None]), shared[1:])
        partners = {place: column for place, column, _ in best_pairs(truth, shared)}
        for place, info in enumerate(truth.infos):
            if not info['iscrowd']:
                self.segments[info['label'], names[partners.get(place, -1) + 1]] += 1
        used = set(partners.values())
        for column in wrong_columns(truth, shared, predicted.labels, used):
            self.segments[nothing, predicted.labels[column]] += 1

    def shares(self) -> np.ndarray:
        """Pixels in percent of those of the true name, (K + 1, K + 1); nan where there are none."""
        with np.errstate(invalid='ignore'):
            return 100 * self.pixels / self.pixels.sum(1, keepdims=True)

    def pairs(self) -> list[ConfusedPair]:
        """Pairs of different names, those of the most pixels first."""
        wrong = (self.pixels > 0) | (self.segments > 0)
        np.fill_diagonal(wrong, False)
        shares = np.nan_to_num(self.shares())
        found = [ConfusedPair(
            self.names[row], self.names[column], int(self.pixels[row, column]),
            float(shares[row, column]), int(self.segments[row, column]))
            for row, column in np.argwhere(wrong)]
        return sorted(found, key=lambda pair: (-pair.pixels, -pair.segments))
