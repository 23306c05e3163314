"""The map of a panoptic annotation: an image file whose pixels are ids of segments."""

from __future__ import annotations

import io
from collections.abc import Iterator

import cv2
import numpy as np
from mmengine.fileio import get
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from .entries import MAX_SEGMENT_ID

MAP_FORMAT = (
    'A map is an image without loss, best a PNG of 8 bits a channel; the colour of a pixel is the '
    'id of its segment, R + 256 G + 256^2 B.')
_COLOURS = ('RGB', 'RGBA', '1', 'L', 'LA', 'P', 'PA')
_ONE_CHANNEL = ('1', 'L', 'LA', 'P', 'PA', 'I', 'I;16', 'I;16B', 'I;16L', 'F')
_WORDS = {
    '1': '1 bit', 'L': 'grey', 'LA': 'grey with alpha', 'P': 'palette', 'I': 'grey of 32 bits',
    'I;16': 'grey of 16 bits', 'I;16B': 'grey of 16 bits', 'F': 'floating point'}


class MapError(ValueError):
    """A map that cannot be used.

    Args:
        what (str): The kind of mistake, the same for all files of that kind.
        message (str): What was found in which file, what was expected, and what to do.
    """

    def __init__(self, what: str, message: str) -> None:
        super().__init__(message)
        self.what = what


def read_map(path: str, backend_args: dict | None = None) -> tuple[str, list[np.ndarray]]:
    """Read what the pixels of a map may mean.

    Most maps mean one thing: colours. One of a single channel (grey, with a palette, of 16 bits)
    may also mean numbers; what the annotation file lists says which it is.

    Args:
        path (str): The map.
        backend_args (dict, optional): As in mmengine's ``fileio``. Defaults to None.

    Returns:
        tuple[str, list[ndarray]]: The file and its kind, for messages; and ids, (H, W), uint32,
        from 0 to 256^3 - 1, for each meaning. A map that is to be turned by its EXIF data is.

    Raises:
        FileNotFoundError: If it is not there.
        MapError: If it is no image or was cut short, or of a kind that cannot hold ids.
    """
    image, kind = open_map(path, backend_args)
    readings = list(_readings(image))
    if not readings:
        raise MapError('maps of a kind that holds no ids', f'{kind}: a map holds whole numbers '
                       f'from 0 to 256^3 - 1. {MAP_FORMAT}')
    return kind, readings


def read_numbers(
    path: str, backend_args: dict | None = None, as_colours: bool = False
) -> np.ndarray:
    """Read a map whose pixels are numbers, such as labels: of one channel, or grey in three.

    Args:
        path (str): The map.
        backend_args (dict, optional): As in mmengine's ``fileio``. Defaults to None.
        as_colours (bool): Whether the numbers are colours, R + 256 G + 256^2 B, also those of a
            palette. Defaults to False.

    Returns:
        ndarray: (H, W), of the file's type; of a palette the places, unless colours count.

    Raises:
        FileNotFoundError: If it is not there.
        MapError: If it is no image or was cut short, or has colours that do not count.
    """
    image, kind = open_map(path, backend_args)
    if as_colours and image.mode in _COLOURS:
        return next(_readings(image))
    if image.mode in _ONE_CHANNEL and image.mode != 'F':
        return _numbers(image)
    colours = np.asarray(image)
    if colours.ndim == 3 and (colours[..., :1] == colours[..., 1:3]).all():
        return colours[..., 0]
    raise MapError('maps with colours where there should be numbers',
                   f'{kind}: expected one number a pixel, an image of one channel (grey of 8 or 16 '
                   'bits, or with a palette whose places are the numbers).')


def read_colours(path: str) -> np.ndarray:
    """Read a map whose red, green and blue are a number each, (H, W, 3), uint8.

    Colours of a palette are colours; grey that is not black is no colour.

    Raises:
        FileNotFoundError: If it is not there.
        MapError: If it is no image or was cut short, or has no colours.
    """
    image, kind = open_map(path)
    if image.mode not in ('RGB', 'RGBA', 'P', 'PA') and (
            image.mode not in _COLOURS or np.asarray(image).any()):
        raise MapError('maps without colours',
                       f'{kind}: expected a map whose red, green and blue mean something each.')
    return np.asarray(image if image.mode == 'RGB' else image.convert('RGB'))


def unreadable(path: str, error: Exception | str) -> str:
    """What is said of a file that is no image."""
    if isinstance(error, UnidentifiedImageError):  # its message names an object in memory
        error = 'of no known format'
    return (f'{path} cannot be read; it is no image, or was cut short ({error}). Replace it, or '
            'take the image out of the annotation file.')


def open_map(path: str, backend_args: dict | None = None) -> tuple[Image.Image, str]:
    """Read a map to its end.

    Args:
        path (str): The map.
        backend_args (dict, optional): As in mmengine's ``fileio``. Defaults to None.

    Returns:
        tuple[Image, str]: It, turned as its EXIF data say, and what messages call it.

    Raises:
        FileNotFoundError: If it is not there.
        MapError: If it is no image or was cut short, or its colours are not exact.
    """
    content = get(path, backend_args=backend_args)
    try:
        image = Image.open(io.BytesIO(content))
        image.load()
    except Exception as error:  # Pillow has many kinds
        raise MapError('maps that cannot be read', unreadable(path, error)) from error
    kind = f'{path} ({image.format}, {_WORDS.get(image.mode, image.mode)})'
    if image.format == 'JPEG':
        raise MapError('maps that are JPEGs inside', f'{kind}: a map cannot be a JPEG, whose '
                       f'colours are not exact. {MAP_FORMAT}')
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    return image, kind


def _readings(image: Image.Image) -> Iterator[np.ndarray]:
    if image.mode in _COLOURS:
        # four bytes, red, green, blue and alpha, are a number, the lowest first
        if image.mode == 'RGB':  # OpenCV is faster than Pillow
            colours = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2RGBA)
        else:
            colours = np.asarray(image if image.mode == 'RGBA' else image.convert('RGBA'))
        ids = colours.view('<u4')[..., 0]
        yield np.bitwise_and(ids, MAX_SEGMENT_ID, out=ids if ids.flags.writeable else None)
    if image.mode in _ONE_CHANNEL:
        numbers = _numbers(image)
        if ((numbers >= 0) & (numbers <= MAX_SEGMENT_ID) & (numbers == np.round(numbers))).all():
            yield numbers.astype(np.uint32)


def _numbers(image: Image.Image) -> np.ndarray:
    numbers = np.asarray(image.getchannel(0) if image.mode in ('LA', 'PA') else image)
    return numbers.astype(np.uint8) if image.mode == '1' else numbers
