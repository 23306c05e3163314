"""Names that are taken for others, counted by hand."""

import numpy as np
import pytest

from mmodise.datasets.panoptic.segments import Runs, Segments
from mmodise.evaluation import NOTHING, ConfusedPair, NameConfusion
from mmodise.evaluation.predicted_segments import PredictedSegments

NAMES = 'ball', 'box', 'grass'


def segments(row, labels, crowds=()):
    numbers = np.array([row])
    return Segments(
        Runs.of(numbers), tuple(dict(label=label, iscrowd=int(place in crowds))
                                for place, label in enumerate(labels)),
        np.bincount(numbers.ravel(), minlength=len(labels) + 1)[1:])


def predicted(row, labels):
    return PredictedSegments(np.arange(len(labels)), np.array([row]), labels)


def test_pixels_and_segments():
    confusion = NameConfusion(NAMES)
    #    void, ball 4, ball 4, grass 5
    truth = segments([0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3], [0, 0, 2])
    # box is 3 of the first ball and void; ball is 1 + 1 of two; grass 4
    found = predicted([1, 1, 1, 1, 1, 2, 2, 0, 0, 0, 0, 3, 3, 3, 3], [1, 0, 2])
    confusion.add_segments(truth, found)
    assert confusion.pixels.tolist() == [[2, 3, 0, 3], [0] * 4, [0, 0, 4, 1], [0] * 4]
    # 3/4 of the first ball's mask is called box; the second has no partner; ball has none either
    assert confusion.segments.tolist() == [[0, 1, 0, 1], [0] * 4, [0, 0, 1, 0], [1, 0, 0, 0]]
    assert confusion.pairs() == [
        ConfusedPair('ball', 'box', 3, pytest.approx(37.5), 1),
        ConfusedPair('ball', NOTHING, 3, pytest.approx(37.5), 1),
        ConfusedPair('grass', NOTHING, 1, pytest.approx(20), 0),
        ConfusedPair(NOTHING, 'ball', 0, 0, 1)]


def test_groups_have_pixels_and_are_no_segments():
    confusion = NameConfusion(NAMES)
    truth = segments([1, 1, 1, 1, 0, 0], [0], crowds=[0])
    # a ball in a group of balls, a box in it, grass on void for the most part
    confusion.add_segments(truth, predicted([1, 1, 2, 2, 3, 3], [0, 1, 2]))
    assert confusion.pixels[0].tolist() == [2, 2, 0, 0]
    assert confusion.segments.tolist() == [[0] * 4] * 3 + [[0, 1, 0, 0]]


def test_labels_of_pixels():
    confusion = NameConfusion(NAMES)
    for _ in range(2):
        confusion.add_labels(np.array([[0, 0, 2, 3]]), np.array([[0, 1, 7, 1]]))
    assert confusion.pixels.tolist() == [[2, 2, 0, 0], [0] * 4, [0, 0, 0, 2], [0] * 4]
    assert confusion.segments.sum() == 0
