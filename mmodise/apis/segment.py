"""A segment of an image, with what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..datasets.panoptic.segments import Runs, Segments
from ..vocabulary import Vocabulary

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Segment:
    """One object, or all that is seen of a stuff class.

    Args:
        id (int): Its number in ``PanopticResult.segment_ids``.
        label (int): Its class, an index into ``vocabulary.class_names``.
        name (str): The displayed name of the class.
        names (tuple[str, ...]): All names of the class.
        is_thing (bool): Whether the class is one of things.
        score (float): 0 to 1; nan where it is not known.
        area (int): Pixels.
        box (tuple[int, int, int, int]): Left, top, right and bottom; the last two are excluded.
        runners_up (tuple[tuple[str, float], ...]): Other classes that it might be, with their
            scores, the best first. Defaults to none.
    """

    id: int
    label: int
    name: str
    names: tuple[str, ...]
    is_thing: bool
    score: float
    area: int
    box: Box
    runners_up: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of_class(
        cls, segment_id: int, label: int, vocabulary: Vocabulary, *, score: float, area: int,
        box: Box, runners_up: Sequence[tuple[str, float]] = (),
    ) -> Segment:
        """Describe a segment by its class in a vocabulary.

        Args:
            segment_id (int): Its number.
            label (int): Its class.
            vocabulary (Vocabulary): Has the class.
            score (float): 0 to 1, or nan.
            area (int): Pixels.
            box (tuple[int, int, int, int]): Left, top, right and bottom.
            runners_up (Sequence[tuple[str, float]]): Other classes. Defaults to none.
        """
        return cls(
            id=int(segment_id), label=int(label), name=vocabulary.class_names[label],
            names=vocabulary.classes[label], is_thing=label < vocabulary.num_things,
            score=float(score), area=int(area), box=tuple(map(int, box)),
            runners_up=tuple(runners_up))


def measure_segments(numbers: np.ndarray, count: int) -> tuple[list[int], list[Box]]:
    """Measure the segments of a map.

    Args:
        numbers (ndarray): Integers, (H, W); 0 is void, and each of 1 to ``count`` is there.
        count (int): Number of segments.

    Returns:
        tuple[list, list]: Area and box of each: left, top, right and bottom, the last two excluded.
    """
    runs = Runs.of(numbers)
    areas = np.bincount(runs.values, runs.lengths, count + 1)[1:].astype(int)
    boxes = Segments(runs, (None, ) * count, areas).boxes() if count else []
    return areas.tolist(), list(map(tuple, boxes))
