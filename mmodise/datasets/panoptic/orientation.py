"""Pictures that are turned when they are shown, and the sizes of them and of their maps."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from typing import BinaryIO

from PIL import ExifTags, Image, UnidentifiedImageError

from .findings import Findings
from .segment_map import MapError

_HEAD = 2**16  # bytes of a file, in which EXIF data of a JPEG or PNG are
TURNED_FORMATS = ('JPEG', 'MPO', 'PNG', 'TIFF')  # formats that OpenCV turns as their EXIF data say


def check_orientation(
    image_path: str,
    shape: tuple[int, int],
    findings: Findings,
    header: tuple[int, str | None] | None = None,
) -> None:
    """Look at a picture that is turned when it is shown, and is then of the same size.

    Of another size it would not be that of its map. Here nobody can tell whether the map was drawn
    over the picture as it is shown, which is assumed, or as it is stored, which is told.

    Args:
        image_path (str): A picture.
        shape (tuple[int, int]): Its height and width.
        findings (Findings): Gets what is told.
        header (tuple, optional): Of :func:`header_orientation`. Defaults to None, it is read.

    Raises:
        MapError: If OpenCV does not turn pictures of this format as everybody else does.
    """
    orientation, picture_format = header or read_orientation(image_path)
    if orientation == 1 or (orientation > 4 and shape[0] != shape[1]):
        return
    if picture_format not in TURNED_FORMATS:
        raise MapError(
            'pictures that are read otherwise than they are shown',
            f'{image_path} ({picture_format}): its EXIF data (orientation {orientation}) say how '
            'it is to be turned when it is shown, and it is read as it is stored. Save it as it is '
            'shown, without them.')
    findings.warning(
        'pictures that are turned when they are shown, and maps that may not be',
        f'{image_path}, EXIF orientation {orientation}', 'They are taken to be drawn over the '
        'picture as it is shown. If so, save it so, without EXIF data, and there is no doubt.')


def read_orientation(picture: str | BinaryIO) -> tuple[int, str | None]:
    """How a picture is to be turned when it is shown, as EXIF numbers it, and its format.

    1 is as stored; so is what is not on a disk, or nothing that Pillow knows.
    """
    try:
        is_open = hasattr(picture, 'read')
        with nullcontext(picture) if is_open else open(picture, 'rb') as file:
            head = file.read(_HEAD)
            if head.startswith((b'\xff\xd8', b'\x89PNG')) and not (
                    b'Exif' in head or b'eXIf' in head):
                return 1, None  # most pictures; Pillow takes several times as long
            with Image.open(file) as image:
                return header_orientation(image)
    except Exception:
        return 1, None


def header_orientation(image: Image.Image) -> tuple[int, str | None]:
    """As :func:`read_orientation`, of a picture that is open and not loaded."""
    return image.getexif().get(ExifTags.Base.Orientation, 1), image.format


def check_size(image_path: str, shape: tuple[int, int], map_path: str) -> None:
    """Compare the size of a picture with that of its map, of which only the header is read.

    Args:
        image_path (str): The picture.
        shape (tuple[int, int]): Its height and width as it was read.
        map_path (str): The map. What has no header is left to whoever reads it.

    Raises:
        MapError: If they differ.
    """
    with suppress(UnidentifiedImageError), Image.open(map_path) as image:
        if image.format == 'TIFF':
            image.load()  # before, its size may be that of what is stored
        lies = image.getexif().get(ExifTags.Base.Orientation, 1) > 4
        check_same_size(image_path, shape, map_path, image.size if lies else image.size[::-1])


def shown_shape(image: Image.Image) -> tuple[int, int]:
    """Height and width of a picture as OpenCV reads it, of what its header says."""
    if image.format == 'TIFF':
        image.load()  # turns it; before, its size may be that of what is stored
    orientation, picture_format = header_orientation(image)
    return image.size if orientation > 4 and picture_format in TURNED_FORMATS else image.size[::-1]


def check_same_size(
    image_path: str, shape: Sequence[int], map_path: str, map_shape: Sequence[int]
) -> None:
    """Refuse a map of another size than its image.

    Args:
        image_path (str): The image, for messages; may be ''.
        shape (Sequence[int]): Its height and width as it is shown.
        map_path (str): The map.
        map_shape (Sequence[int]): Its height and width.

    Raises:
        MapError: If they differ; names both.
    """
    if tuple(map_shape) != tuple(shape):
        raise MapError(
            'maps of another size than their image',
            f'{image_path or "The image"} has {shape[1]} x {shape[0]} pixels, its annotation map '
            f'{map_path} {map_shape[1]} x {map_shape[0]}. They must be the same: resize both or '
            f'neither.{turning_hint(image_path)}')


def turning_hint(image_path: str) -> str:
    """What a message adds if a picture is turned when it is shown; '' if it is not."""
    orientation = read_orientation(image_path)[0]
    if orientation == 1:
        return ''
    return (f" The picture's EXIF data (orientation {orientation}) say how it is to be turned when "
            'it is shown: draw the map over the picture as it is shown, or save the picture '
            'without them.')
