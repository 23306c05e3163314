"""Pictures as people have them, in files and in arrays, as BGR of 8 bits."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import cv2
import mmcv
import numpy as np
from mmengine.fileio import LocalBackend, get, get_file_backend
from PIL import Image, ImageOps

from .panoptic.orientation import TURNED_FORMATS, read_orientation

_TOLERANCE = 1e-2  # resizing overshoots
_SHAPES = '(H, W), (H, W, 1), (H, W, 3) in the order BGR, or (H, W, 4), BGR and alpha'


def read_picture(path: str | os.PathLike) -> np.ndarray:
    """Read a picture as OpenCV does in data sets, and as it is shown.

    16 bits become 8, floating point numbers from 0 to 1 or to 255 as well, alpha is left out, and
    of several frames the first is taken. WebP and AVIF, which OpenCV does not turn as their EXIF
    data say, are turned.

    Args:
        path (str | PathLike): A file, or an address of one of mmengine's backends.

    Returns:
        ndarray: BGR, uint8, (H, W, 3).

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it is no picture, or of a kind that OpenCV does not read.
    """
    path = os.fspath(path)
    if isinstance(get_file_backend(path), LocalBackend) and not os.path.isfile(path):
        raise FileNotFoundError(
            f'{path}: ' + ('is a folder' if os.path.isdir(path) else 'there is no such file'))
    return decode_picture(get(path), path)


def decode_picture(content: bytes, name: str) -> np.ndarray:
    """As :func:`read_picture`, of the content of a file.

    Args:
        content (bytes): Of the file.
        name (str): What it is called in errors.
    """
    numbers = _floats(content)
    if numbers is not None:
        return _named(name, numbers)
    image = mmcv.imfrombytes(content) if content else None
    if image is None:
        raise OSError(f'{name}: {len(content):,} bytes that OpenCV cannot read as an image; '
                      f'{_what_else(content)}')
    orientation, picture_format = read_orientation(io.BytesIO(content))
    if orientation != 1 and picture_format not in TURNED_FORMATS:
        return _as_bgr(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    return image


def _floats(content: bytes) -> np.ndarray | None:
    """The numbers of a TIFF of floating point, of which OpenCV makes noise; None of all others."""
    if not content.startswith((b'II*\0', b'MM\0*')):
        return None
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    return image if image is not None and image.dtype.kind == 'f' else None


def _named(name: str, numbers: np.ndarray) -> np.ndarray:
    try:
        return to_bgr(numbers)
    except ValueError as error:
        raise OSError(f'{name}: {error}') from error


def to_rgb(picture: np.ndarray | Image.Image) -> np.ndarray:
    """As :func:`to_bgr`, for arrays whose channels are red, green, blue and perhaps alpha.

    Returns:
        ndarray: RGB, uint8, (H, W, 3).
    """
    if isinstance(picture, Image.Image):
        return np.ascontiguousarray(to_bgr(picture)[..., ::-1])
    try:
        return to_bgr(picture)  # any order of channels stays as it is
    except ValueError as error:
        raise ValueError(str(error).replace('BGR', 'RGB')) from error


def to_bgr(picture: np.ndarray | Image.Image) -> np.ndarray:
    """Bring a picture in memory into the form that OpenCV reads files in.

    Grey is repeated, alpha is left out. Numbers from 0 to 1 (floating point, truth values) and
    from 0 to 255 are taken as such; those of uint16 beyond 255 are of 16 bits.

    Args:
        picture (ndarray | Image): Of shape (H, W), (H, W, 1), (H, W, 3), BGR, or (H, W, 4), BGR and
            alpha; or an image of Pillow's, which is turned as its EXIF data say.

    Returns:
        ndarray: BGR, uint8, (H, W, 3).

    Raises:
        ValueError: If it has another shape, or numbers that are of no such range.
    """
    if isinstance(picture, Image.Image):
        return _as_bgr(ImageOps.exif_transpose(picture))
    if picture.ndim not in (2, 3) or not picture.size or (
            picture.ndim == 3 and picture.shape[2] not in (1, 3, 4)):
        is_chw = picture.ndim == 3 and picture.shape[0] in (1, 3, 4)
        raise ValueError(
            f'The array of shape {picture.shape} is no picture: it must be {_SHAPES}.'
            f'{" Move its channels to the end." if is_chw else ""}'
            f'{" Give several as a list." if picture.ndim == 4 else ""}')
    channels = _to_bytes(picture if picture.ndim == 3 else picture[..., None])
    if channels.shape[2] == 1:
        channels = channels.repeat(3, axis=2)
    return np.ascontiguousarray(channels[..., :3])


def _as_bgr(image: Image.Image) -> np.ndarray:
    if image.mode.startswith(('I', 'F')):  # grey of more than 8 bits, which Pillow would cut
        numbers = np.asarray(image)
        if image.mode == 'I' and numbers.min() >= 0 and 255 < numbers.max() < 2**16:
            numbers = numbers.astype(np.uint16)  # what a PNG of 16 bits is opened as
        return to_bgr(numbers)
    return np.ascontiguousarray(np.asarray(image.convert('RGB'))[..., ::-1])


def _to_bytes(numbers: np.ndarray) -> np.ndarray:
    if numbers.dtype == np.uint8:
        return numbers
    if numbers.dtype.kind not in 'buif':
        raise ValueError(f'The array of {numbers.dtype} is no picture: use uint8, 0 to 255.')
    lowest, highest = float(numbers.min()), float(numbers.max())
    is_float = numbers.dtype.kind == 'f'
    if numbers.dtype.kind == 'b' or (is_float and -_TOLERANCE <= lowest <= highest
                                     <= 1 + _TOLERANCE):
        return np.rint(np.clip(numbers, 0, 1).astype(np.float64) * 255).astype(np.uint8)
    if numbers.dtype == np.uint16 and highest > 255:
        return (numbers >> 8).astype(np.uint8)  # as OpenCV does with files
    # a picture of 0 to 255 that is nearly black cannot be told from one that overshoots 0 to 1
    if lowest >= -0.5 and highest < 255.5 and (not is_float or highest > 2):
        return np.clip(np.rint(numbers), 0, 255).astype(np.uint8)
    raise ValueError(
        f'The numbers of the array ({numbers.dtype}, {lowest:g} to {highest:g}) are not those '
        'of a picture: they must be from 0 to 255, or from 0 to 1. Give the picture as it was '
        'before it was normalized; the model does that itself.')


@contextmanager
def _opened(content: bytes) -> Iterator[Image.Image | None]:
    """A picture as Pillow has it; None if it is too large for Pillow."""
    try:
        image = Image.open(io.BytesIO(content))
    except Image.DecompressionBombError:
        yield None
        return
    with image:
        yield image


def _what_else(content: bytes) -> str:
    with suppress(Exception), _opened(content) as image:
        if image is None:
            return 'it has more pixels than are read. Make it smaller'
        image.load()
        return (f'it is a picture ({image.format}, {image.mode}) of a kind that it does not '
                'know. Save it as PNG or JPEG, of 8 bits a channel')
    return 'it is none, or was cut short'
