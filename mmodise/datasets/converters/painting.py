"""Segments that overlap become a map in which each pixel is of one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from ...utils.masks import bounding_box
from ..panoptic import Findings
from .annotated import Segment

OVERLAPS = ('later', 'earlier', 'smaller')


class Rules(NamedTuple):
    """What the user says of the classes and of pixels of several segments.

    Args:
        stuff (frozenset[str]): Classes whose segments in a picture are one.
        void (frozenset[str]): Classes whose pixels are void.
        overlap (str): Which segment has a pixel that several cover: the 'later' in the file, the
            'earlier', or the 'smaller'. A crowd never covers an object.
    """

    stuff: frozenset[str]
    void: frozenset[str] = frozenset()
    overlap: str = 'later'


def paint(
    segments: Sequence[Segment], shape: tuple[int, int], rules: Rules, findings: Findings
) -> tuple[np.ndarray, list[dict]]:
    """Paint segments over each other.

    Args:
        segments (Sequence[Segment]): In the order of the annotation.
        shape (tuple[int, int]): Height and width.
        rules (Rules): Who covers whom.
        findings (Findings): Gets segments that are wholly covered.

    Returns:
        tuple[ndarray, list[dict]]: Ids, (H, W), int32, 0 is void; and of each segment that is seen
        ``id``, ``name``, ``area``, ``bbox`` and ``iscrowd``.
    """
    numbers = np.zeros(shape, np.int32)
    objects = np.zeros(shape, bool)
    for number in _order(segments, rules.overlap):
        name, mask, iscrowd = segments[number]
        is_object = name not in rules.stuff | rules.void and not iscrowd
        mask = mask & ~objects if iscrowd and name not in rules.stuff | rules.void else mask
        numbers[mask] = 0 if name in rules.void else number + 1
        objects[mask] = is_object
    return _merge_stuff(numbers, segments, rules, findings)


def _order(segments: Sequence[Segment], overlap: str) -> list[int]:
    order = list(range(len(segments)))
    if overlap == 'earlier':
        return order[::-1]
    if overlap == 'smaller':
        return sorted(order, key=lambda i: -int(segments[i].mask.sum()))
    return order


def _merge_stuff(
    numbers: np.ndarray, segments: Sequence[Segment], rules: Rules, findings: Findings
) -> tuple[np.ndarray, list[dict]]:
    seen = set(np.unique(numbers).tolist())
    table, keys = np.zeros(len(segments) + 1, np.int32), {}
    for number, segment in enumerate(segments, 1):
        if number in seen:
            key = segment.name if segment.name in rules.stuff else number
            table[number] = keys.setdefault(key, len(keys) + 1)
        elif segment.name not in rules.void:
            findings.warning('segments that others cover wholly', repr(segment.name),
                             'They are left out.')
    ids = table[numbers]
    infos = {}
    for number, segment in enumerate(segments, 1):
        if number in seen and table[number] not in infos:
            infos[int(table[number])] = _info(int(table[number]), segment, ids, rules.stuff)
    return ids, list(infos.values())


def _info(segment_id: int, segment: Segment, ids: np.ndarray, stuff: Collection[str]) -> dict:
    mask = ids == segment_id
    return dict(
        id=segment_id, name=segment.name, area=int(mask.sum()), bbox=bounding_box(mask),
        iscrowd=int(segment.iscrowd and segment.name not in stuff))
