"""Segments of an image: what the annotation file says of them, and their pixels in the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .entries import some
from .findings import Findings
from .orientation import check_same_size
from .segment_map import MAP_FORMAT, MapError, read_map

_AREA_TOLERANCE = 0.02
_MANY_IDS, _FEW_PIXELS = 20, 16  # more ids than segments that were taken out, and smaller ones


class Runs(NamedTuple):
    """The pixels of a map, those of equal value that follow each other in one; row after row.

    There are far fewer of them than pixels.

    Args:
        shape (tuple[int, int]): Height and width.
        starts (ndarray): Where each begins, as a place in the flat map.
        lengths (ndarray): Pixels of each.
        values (ndarray): Of each.
    """

    shape: tuple[int, int]
    starts: np.ndarray
    lengths: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Runs:
        """Those of a map, (H, W)."""
        flat = values.ravel()
        ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        starts, ends = np.concatenate(([0], ends)), np.concatenate((ends, [flat.size]))
        return cls(values.shape, starts, ends - starts, flat[starts])

    def paint(self, values: np.ndarray) -> np.ndarray:
        """A map, (H, W), with a value for each of them."""
        return np.repeat(values, self.lengths).reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments of an image that have pixels.

    Args:
        runs (Runs): Their values are 0 where there is no segment, n in the n-th of ``infos``.
        infos (tuple[Mapping]): What the annotation file, or the data set, says of each.
        areas (ndarray): Pixels of each.
    """

    runs: Runs
    infos: tuple[Mapping, ...]
    areas: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the map."""
        return self.runs.shape

    @cached_property
    def numbers(self) -> np.ndarray:
        """The map, (H, W): 0 where there is no segment, n in the n-th of ``infos``."""
        return self.runs.paint(self.runs.values)

    def paint(self, values: Sequence[int], void: int, dtype: type = np.int64) -> np.ndarray:
        """A map, (H, W), with the value of each segment, and ``void`` elsewhere."""
        return self.runs.paint(np.array([void, *values], dtype=dtype)[self.runs.values])

    def keep(self, places: Sequence[int]) -> Segments:
        """Only some of the segments, by their places in ``infos``; the others become void."""
        table = np.zeros(len(self.infos) + 1, self.runs.values.dtype)
        table[np.asarray(places, dtype=int) + 1] = np.arange(1, len(places) + 1)
        return Segments(
            self.runs._replace(values=table[self.runs.values]),
            tuple(self.infos[place] for place in places), self.areas[list(places)])

    def masks(self, places: Sequence[int]) -> np.ndarray:
        """Masks of some of the segments, by their places in ``infos``, uint8, (n, H, W)."""
        numbers = np.asarray(places, dtype=self.numbers.dtype).reshape(-1, 1, 1) + 1
        return (self.numbers[None] == numbers).view(np.uint8)

    def boxes(self) -> list[list[int]]:
        """Left, top, right and bottom (these two excluded) of the pixels of each."""
        order = np.argsort(self.runs.values, kind='stable')
        starts, lengths = self.runs.starts[order], self.runs.lengths[order]
        width = self.shape[1]
        rows, columns = np.divmod(starts, width)
        last_rows, last_columns = np.divmod(starts + lengths - 1, width)
        goes_on = rows != last_rows  # in the next row, so it reaches both sides
        columns[goes_on], last_columns[goes_on] = 0, width - 1
        places = np.searchsorted(self.runs.values[order], np.arange(1, len(self.infos) + 1))
        sides = (
            np.minimum.reduceat(columns, places), np.minimum.reduceat(rows, places),
            np.maximum.reduceat(last_columns, places) + 1,
            np.maximum.reduceat(last_rows, places) + 1)
        return np.stack(sides, axis=-1).tolist()


def measure_values(numbers: np.ndarray) -> dict[int, tuple[int, list[int]]]:
    """Of each value of a map, (H, W): its pixels, and COCO's box of them, in rising order."""
    runs = Runs.of(numbers)
    values, places = np.unique(runs.values, return_inverse=True)
    areas = np.bincount(places, runs.lengths).astype(int)
    segments = Segments(runs._replace(values=places + 1), ({}, ) * len(values), areas)
    return {value: (area, [left, top, right - left, bottom - top])
            for value, area, (left, top, right, bottom) in zip(
                values.tolist(), areas.tolist(), segments.boxes(), strict=True)}


def read_segments(
    path: str,
    infos: Sequence[Mapping],
    findings: Findings,
    shape: tuple[int, int] | None = None,
    image_path: str = '',
    backend_args: dict | None = None,
) -> Segments:
    """Read the map of an image, and compare it with what is said of its segments.

    Pixels of an id that is not listed are void. A segment without pixels is left out. Both are
    told, and an area that is not that of the pixels.

    Args:
        path (str): The map.
        infos (Sequence[Mapping]): Of each segment its ``id``, and perhaps ``area``.
        findings (Findings): Of the map; gets what is told.
        shape (tuple[int, int], optional): Height and width of the image as it was read. Defaults to
            None, any will do.
        image_path (str): The image, for messages. Defaults to ''.
        backend_args (dict, optional): As in mmengine's ``fileio``. Defaults to None.

    Raises:
        FileNotFoundError: If the map is not there.
        MapError: If it cannot be read, has not the image's size, or holds none of the segments, or
            shades of their ids.
    """
    kind, readings = read_map(path, backend_args)
    if shape is not None:
        check_same_size(image_path, shape, path, readings[0].shape)
    segment_ids = [info['id'] for info in infos]
    counted = [_count(ids, segment_ids) for ids in readings]
    best = max(range(len(counted)), key=lambda i: np.count_nonzero(counted[i][1]))
    runs, areas, unlisted = counted[best]
    if infos and not areas.any():
        there = some(int(i) for i in np.unique(readings[best]) if i)
        raise MapError(
            'maps without any of the segments that are listed',
            f'{kind} holds none of the {len(infos)} segments that the annotation file lists for '
            f'it, with ids {some(segment_ids)}; the ids in it are {there}. {MAP_FORMAT}')
    if unlisted:
        others = set(np.unique(readings[best]).tolist()).difference(segment_ids, [0])
        found = f'{unlisted} pixels of ids {some(sorted(others))}'
        if len(others) >= _MANY_IDS and unlisted < _FEW_PIXELS * len(others):
            raise MapError(
                'maps with shades of ids',
                f'{kind} holds {found} ({len(others)} ids of a few pixels each), which the '
                'annotation file does not list for it. Was it compressed with loss, or resized '
                f'with other than nearest neighbours? {MAP_FORMAT}')
        findings.warning('pixels of ids that the annotation file does not list for it', found,
                         'They are void.')
    segments = _leave_out_empty(Segments(runs, tuple(infos), areas), findings)
    _compare_areas(segments, findings)
    return segments


def compare_box(
    segment_id: int, said: Sequence[float], box: Sequence[int], findings: Findings
) -> None:
    """Compare the box that a file says a segment has with that of its pixels.

    Args:
        segment_id (int): For the message.
        said (Sequence[float]): Left, top, right and bottom.
        box (Sequence[int]): The same, of the pixels.
        findings (Findings): Of the map.
    """
    if np.abs(np.subtract(box, said)).max() > 2:
        findings.warning(
            "segments whose 'bbox' is not that of their pixels",
            f'{list(said)} of segment {segment_id}, {list(box)} of the pixels (left, top, right, '
            'bottom)', 'The pixels are what counts.')


def _count(ids: np.ndarray, segment_ids: Sequence[int]) -> tuple[Runs, np.ndarray, int]:
    """Number the pixels; also returns the pixels of each segment, and of ids that are unlisted."""
    runs = Runs.of(ids)
    known = np.append(0, np.asarray(segment_ids, dtype=int))  # 0 is void
    order = np.argsort(known)
    nearest = order[np.searchsorted(known, runs.values, 'right', order) - 1]
    is_known = known[nearest] == runs.values
    numbers = np.where(is_known, nearest, 0).astype(np.min_scalar_type(len(segment_ids)))
    pixels = np.bincount(numbers, runs.lengths, len(known)).astype(int)
    unlisted = runs.lengths[~is_known].sum()
    return runs._replace(values=numbers), pixels[1:], int(unlisted)


def _leave_out_empty(segments: Segments, findings: Findings) -> Segments:
    empty = np.flatnonzero(segments.areas == 0)
    for place in empty:
        findings.warning('segments without a pixel', f'segment {segments.infos[place]["id"]}',
                         'They are left out.')
    return segments.keep(np.flatnonzero(segments.areas)) if len(empty) else segments


def _compare_areas(segments: Segments, findings: Findings) -> None:
    for info, pixels in zip(segments.infos, segments.areas.tolist(), strict=True):
        said = info.get('area')
        if said is not None and abs(said - pixels) > max(1, _AREA_TOLERANCE * pixels):
            findings.warning(
                "segments whose 'area' is not that of their pixels",
                f'{said} of segment {info["id"]}, {pixels} pixels',
                "The pixels are what counts, unless a metric has areas='file'.")
