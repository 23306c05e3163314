"""Segments keep their number from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from ...visualization.panoptic_picture import number_segments
from ..panoptic_result import PanopticResult
from ..segment import Segment


@dataclass
class _Track:
    """A segment as it was seen last, in the size of the first frame."""

    id: int
    segment: Segment
    mask: np.ndarray  # bool, of its box alone
    corner: tuple[int, int]  # top and left of that box
    center: np.ndarray  # x and y, by the frame's diagonal
    embedding: np.ndarray | None  # of length 1
    last_seen: int


class SegmentTracker:
    """Gives the segments of a frame the numbers that they had in the frames before.

    Segments are matched one to one (Hungarian method) by how much their masks overlap (intersection
    over union), how alike their mask embeddings are (cosine), whether they are of one class, and
    how near their centres are. Things are matched with things, stuff with stuff. A pair must
    overlap by ``min_overlap``; or be of one class and look alike, by ``min_likeness``, which finds
    what moves by more than its own size; or be stuff of one class. A class may change: a ball that
    is taken for an orange in some frame keeps its number.

    Numbers begin at 1 and are not given twice. The frames need not be of one size. Only the last
    mask of each segment is kept, and only for ``patience`` frames.

    Args:
        min_overlap (float): Intersection over union, 0 to 1. Defaults to 0.2.
        min_likeness (float): Cosine of the mask embeddings, -1 to 1. Defaults to 0.8.
        patience (int): How many frames a segment may be unseen. Defaults to 30.
    """

    def __init__(
        self, min_overlap: float = 0.2, min_likeness: float = 0.8, patience: int = 30
    ) -> None:
        self.min_overlap, self.min_likeness = min_overlap, min_likeness
        self.patience = patience
        self._tracks: list[_Track] = []
        self._size: tuple[int, int] | None = None
        self._frame = self._last_id = 0

    def __call__(self, result: PanopticResult) -> PanopticResult:
        """Number the segments of the next frame.

        Args:
            result (PanopticResult): Any numbers.

        Returns:
            PanopticResult: The same with the tracker's numbers, in their order.
        """
        self._frame += 1
        # 0 is void, i + 1 the segment i
        numbers = number_segments(result.segment_ids, [segment.id for segment in result.segments])
        self._size = self._size or numbers.shape
        resized = _resize(numbers, self._size)
        seen = self._observe(result, resized)
        self._match(seen, resized)
        for track in seen:
            if not track.id:
                self._last_id += 1
                track.id = self._last_id
        kept = {track.id for track in seen}
        self._tracks = seen + [
            track for track in self._tracks
            if track.id not in kept and self._frame - track.last_seen < self.patience]
        return _renumber(result, numbers, [track.id for track in seen])

    def _observe(self, result: PanopticResult, numbers: np.ndarray) -> list[_Track]:
        """The segments of a frame, with the number 0."""
        embeddings = result.mask_embeddings
        scale = np.array(self._size[::-1]) / result.segment_ids.shape[::-1]
        tracks = []
        for i, segment in enumerate(result.segments):
            left, top, right, bottom = np.round(
                np.multiply(segment.box, np.tile(scale, 2))).astype(int)
            mask = numbers[top:bottom, left:right] == i + 1
            center = np.array([left + right, top + bottom]) / 2 / np.hypot(*self._size)
            embedding = None if embeddings is None else _unit(embeddings[i])
            tracks.append(_Track(0, segment, mask, (top, left), center, embedding, self._frame))
        return tracks

    def _match(self, seen: list[_Track], numbers: np.ndarray) -> None:
        """Give the segments of a frame the numbers of tracks that they continue."""
        if not seen or not self._tracks:
            return
        areas = np.bincount(numbers.ravel(), minlength=len(seen) + 1)[1:]
        scores = np.array([self._scores(track, seen, numbers, areas) for track in self._tracks])
        rows, columns = linear_sum_assignment(scores, maximize=True)
        for row, column in zip(rows, columns, strict=True):
            if scores[row, column] > 0:
                seen[column].id = self._tracks[row].id

    def _scores(
        self, track: _Track, seen: list[_Track], numbers: np.ndarray, areas: np.ndarray
    ) -> list[float]:
        """How well each segment continues a track; 0 where it does not."""
        overlaps = _overlaps(track, numbers, areas)
        return [self._score(track, other, overlap)
                for other, overlap in zip(seen, overlaps, strict=True)]

    def _score(self, track: _Track, other: _Track, overlap: float) -> float:
        is_same = track.segment.name == other.segment.name
        if track.segment.is_thing != other.segment.is_thing:
            return 0
        knows = track.embedding is not None and other.embedding is not None
        likeness = float(track.embedding @ other.embedding) if knows else float(is_same)
        looks_alike = is_same and knows and likeness >= self.min_likeness
        if not (overlap >= self.min_overlap or looks_alike
                or (is_same and not track.segment.is_thing)):
            return 0
        distance = float(np.linalg.norm(track.center - other.center))
        return 2 + 2 * overlap + likeness + 0.5 * is_same - distance  # above 0: likeness >= -1


def _resize(numbers: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if numbers.shape == size:
        return numbers
    return cv2.resize(numbers, size[::-1], interpolation=cv2.INTER_NEAREST)


def _overlaps(track: _Track, numbers: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Intersection over union of a track with each segment of a frame."""
    top, left = track.corner
    height, width = track.mask.shape
    inside = numbers[top:top + height, left:left + width][track.mask]
    shared = np.bincount(inside, minlength=len(areas) + 1)[1:]
    return shared / np.maximum(areas + np.count_nonzero(track.mask) - shared, 1)


def _unit(embedding: np.ndarray) -> np.ndarray:
    return embedding / max(float(np.linalg.norm(embedding)), 1e-12)


def _renumber(result: PanopticResult, numbers: np.ndarray, ids: list[int]) -> PanopticResult:
    order = np.argsort(ids, kind='stable')
    embeddings = result.mask_embeddings
    return replace(
        result,
        segment_ids=np.array([0, *ids], np.int32)[numbers],
        segments=tuple(replace(result.segments[i], id=ids[i]) for i in order),
        mask_embeddings=None if embeddings is None else embeddings[order])
