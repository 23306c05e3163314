"""Maps of instances as Cityscapes has them: class x 1000 + number, or the class alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ..panoptic import Findings
from ..panoptic.orientation import check_same_size
from ..panoptic.segment_map import read_numbers
from .annotated import AnnotatedImage, AnnotationError, Segment, Source
from .pictures import PictureFolder, folder_split

ENDING, _PICTURE_ENDING = '_instanceIds.png', '_leftImg8bit'
STEP = 1000
#: The classes that Cityscapes evaluates, by their ids.
STUFF = {7: 'road', 8: 'sidewalk', 11: 'building', 12: 'wall', 13: 'fence', 17: 'pole',
          19: 'traffic light', 20: 'traffic sign', 21: 'vegetation', 22: 'terrain', 23: 'sky'}
THINGS = {24: 'person', 25: 'rider', 26: 'car', 27: 'truck', 28: 'bus', 31: 'train',
           32: 'motorcycle', 33: 'bicycle'}


def read_cityscapes(
    paths: Sequence[Path], folder: PictureFolder, values: Mapping[int, str] | None = None
) -> Source:
    """Read ``..._instanceIds.png``; a thing without a number is a group of them, a crowd.

    Classes that Cityscapes does not evaluate are void. Maps of 'test', which are empty, are left
    out.

    Args:
        paths (Sequence[Path]): The maps.
        folder (PictureFolder): Where pictures are: ``NAME_leftImg8bit.*`` of
            ``NAME_gtFine_instanceIds.png``.
        values (Mapping[int, str], optional): Names of other classes by their ids; then every id
            must be named. Defaults to None, the 19 classes of Cityscapes.

    Raises:
        AnnotationError: If a map has no picture.
    """
    names = {**THINGS, **STUFF} if values is None else dict(values)
    source = Source([], tuple(dict.fromkeys(names.values())), [*paths],
                    tuple(STUFF.values()) if values is None else None,
                    note='A thing without a number (cargroup) is a crowd.',
                    meaning=repr(sorted(names.items())))
    pictures = {(_stem(path), folder_split(path, folder.root)): path for path in folder.pictures
                if path.stem.endswith(_PICTURE_ENDING)}
    for path in paths:
        split = folder_split(path, folder.root)
        if split == 'test' and values is None:
            source.findings.warning('maps of the split test', path.name,
                                    'They hold no annotation, and are left out.')
            continue
        key = path.name.removesuffix(ENDING).rpartition('_')[0]
        if (key, split) not in pictures:
            raise AnnotationError(
                f'{path}: there is no picture {key}{_PICTURE_ENDING}.png in the split {split!r} '
                f'below {folder.root}.')
        source.images.append(AnnotatedImage(
            pictures[key, split], split,
            partial(read_instance_ids, path=str(path), names=names, strict=values is not None),
            where=str(path)))
    return source


def read_instance_ids(
    shape: tuple[int, int], findings: Findings, path: str, names: Mapping[int, str], strict: bool
) -> list[Segment]:
    """Segments of a map of instances."""
    numbers = read_numbers(path)
    check_same_size('', shape, path, numbers.shape)
    segments = []
    for value in np.unique(numbers).tolist():
        label = value // STEP if value >= STEP else value
        if label in names:
            segments.append(Segment(names[label], numbers == value, value < STEP))
        elif strict and value:
            raise AnnotationError(f'{path}: the value {value} is of class {label}, which has no '
                                  f'name; the classes are {names}. 0 is void.')
    return segments


def _stem(path: Path) -> str:
    return path.stem.removesuffix(_PICTURE_ENDING)
