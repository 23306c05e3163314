"""Maps whose pixels are values of classes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ..panoptic import Findings
from ..panoptic.orientation import check_same_size
from ..panoptic.segment_map import read_numbers
from .annotated import AnnotatedImage, AnnotationError, Segment, Source
from .class_values import EXPECTED
from .pictures import PictureFolder, folder_split, split_of

#: Folders that people put maps into, in lower case.
MAP_FOLDERS = (
    'masks', 'mask', 'annotations', 'annotation', 'ann_dir', 'ann', 'labels', 'label', 'gt',
    'segmentationclass', 'segmentation', 'segmentations', 'semantic', 'maps', 'seg', 'groundtruth')
_PICTURE_FOLDERS = ('images', 'image', 'imgs', 'img', 'img_dir', 'jpegimages', 'pictures')
_ENDING = re.compile(
    r'[_.-](masks?|labels?|labelids|labeltrainids|gt|seg|segmentation|semantic|ann)$', re.I)
_VOID = 255


def find_maps(folder: PictureFolder, maps: Path | None = None) -> list[Path]:
    """PNGs that are maps: those of a folder, or of folders that are called so."""
    if maps is not None:
        found = PictureFolder(maps).pictures
    else:
        found = [path for path in folder.pictures if any(
            part.lower() in MAP_FOLDERS for part in path.relative_to(folder.root).parent.parts)]
    return [path for path in found if path.suffix.lower() in ('.png', '.tif', '.tiff', '.bmp')]


def read_class_maps(
    maps: Sequence[Path],
    folder: PictureFolder,
    values: Mapping[int, str],
    stuff: Sequence[str],
    images: Path | None = None,
) -> Source:
    """Read a map of classes per picture, found by its name and the folders above it.

    Each connected region of a thing is an object. 255 is void unless it is named.

    Args:
        maps (Sequence[Path]): The maps.
        folder (PictureFolder): Where pictures are.
        values (Mapping[int, str]): Names of values, see :func:`parse_class_values`.
        stuff (Sequence[str]): Classes that have no objects.
        images (Path, optional): The folder of the pictures. Defaults to None, all that are no maps.

    Raises:
        AnnotationError: If a map has no picture, or several.
    """
    source = Source([], tuple(dict.fromkeys(values.values())), [], note=(
        'Maps of classes do not tell objects apart: each connected region of a thing is an '
        'object.'), meaning=repr(sorted(values.items())))
    pictures, taken = {}, set(maps)
    for path in folder.pictures if images is None else PictureFolder(images).pictures:
        if path not in taken:
            pictures.setdefault(_key(path), []).append(path)
    for path in maps:
        picture = _match(path, pictures.get(_key(path), []))
        source.images.append(AnnotatedImage(
            picture, folder_split(picture, folder.root) or split_of(path.parent.name),
            partial(read_regions, path=str(path), values=dict(values), stuff=tuple(stuff)),
            where=str(path)))
    source.files = [*maps]
    annotated = {image.path for image in source.images}
    for path in (path for paths in pictures.values() for path in paths if path not in annotated):
        source.findings.warning('pictures without a map', path.name,
                                'They are not annotated, and left out.')
    return source


def read_regions(
    shape: tuple[int, int],
    findings: Findings,
    path: str,
    values: Mapping[int, str],
    stuff: Sequence[str],
) -> list[Segment]:
    """Segments of a map of classes: one per class of stuff, one per region of a thing."""
    numbers = read_numbers(path, as_colours=max(values, default=0) > _VOID)
    check_same_size('', shape, path, numbers.shape)
    segments = []
    for value in np.unique(numbers).tolist():
        name, mask = values.get(value), numbers == value
        if name is None and value == _VOID:
            continue
        if name is None:
            raise AnnotationError(
                f'{path}: {int(mask.sum())} pixels have the value {value}, which has no name. '
                f'{EXPECTED}')
        if name in stuff:
            segments.append(Segment(name, mask))
            continue
        count, regions = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        segments += [Segment(name, regions == i) for i in range(1, count)]
    return segments


def _key(path: Path) -> str:
    return _ENDING.sub('', path.stem).casefold()


def _match(path: Path, pictures: list[Path]) -> Path:
    """The picture of a map among those of its name: the one whose folders are most alike."""
    folders = _folders(path)
    best = max((len(folders & _folders(other)) for other in pictures), default=0)
    near = [other for other in pictures if len(folders & _folders(other)) == best]
    if len(near) == 1:
        return near[0]
    raise AnnotationError(
        f'{path} is the map of ' + (f'{near[0]}, or of {near[1]}' if near else 'no picture')
        + '. A map is called as its picture; --images DIR and --maps DIR say where both are.')


def _folders(path: Path) -> set[str]:
    names = {part.lower() for part in path.parent.parts}
    return names.difference(MAP_FOLDERS, _PICTURE_FOLDERS)
