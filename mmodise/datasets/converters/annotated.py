"""The form in which all layouts are read: pictures, and what reads their segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..panoptic import Findings


class AnnotationError(ValueError):
    """An annotation that cannot be used; names the file, the entry, and what to do."""


class Segment(NamedTuple):
    """What somebody has drawn.

    Args:
        name (str): Of its class.
        mask (ndarray): (H, W), bool; may overlap others.
        iscrowd (bool): Whether it is several objects in one.
    """

    name: str
    mask: np.ndarray
    iscrowd: bool = False


@dataclass(frozen=True)
class ExistingMap:
    """A panoptic map that is there already.

    Args:
        path (Path): The map.
        infos (tuple[dict]): Its ``segments_info``, with ``name`` in place of ``category_id``.
    """

    path: Path
    infos: tuple[dict, ...]


@dataclass(frozen=True)
class AnnotatedImage:
    """A picture and its annotation.

    Args:
        path (Path): The picture.
        split (str): 'train', 'val', 'test', or '' where the layout does not say.
        read (Callable | ExistingMap): Makes the segments, in the order of the annotation, of height
            and width, and gets findings; can be sent to another process.
        size (tuple[int, int], optional): Width and height that the annotation says.
        where (str): The annotation file and the entry, for messages.
    """

    path: Path
    split: str
    read: Callable[[tuple[int, int], Findings], list[Segment]] | ExistingMap
    size: tuple[int, int] | None = None
    where: str = ''


@dataclass
class Source:
    """All that was found in a folder.

    Args:
        images (list[AnnotatedImage]): In the order of the annotation.
        classes (tuple[str]): Names, in the order of the annotation.
        files (list[Path]): The annotation files.
        stuff (tuple[str], optional): Those that are stuff; None where the layout does not say.
        findings (Findings): What is told.
        note (str): A rule of this layout that is to be told.
        meaning (str): What of the options decides how the files are read.
    """

    images: list[AnnotatedImage]
    classes: tuple[str, ...]
    files: Sequence[Path]
    stuff: tuple[str, ...] | None = None
    findings: Findings = field(default_factory=lambda: Findings('annotations'))
    note: str = ''
    meaning: str = ''
