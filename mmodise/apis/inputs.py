"""What pictures may be given as."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..datasets.pictures import read_picture, to_rgb
from .download import download_picture, is_url

#: Endings of the files that are taken from folders.
ENDINGS = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff', '.gif', '.jp2', '.avif',
           '.ppm', '.pgm', '.pbm')


class Picture(NamedTuple):
    """A picture, and where it came from.

    Attributes:
        image: RGB, uint8, (H, W, 3).
        path: The file or address; None for a picture in memory.
    """

    image: np.ndarray
    path: str | None = None


Source = str | np.ndarray | Image.Image | Picture


def read_pictures(inputs: object) -> Iterator[Picture]:
    """Read pictures, each when it is asked for.

    Args:
        inputs: See :func:`list_sources`.

    Raises:
        OSError: If a file or an address cannot be read as a picture; names it.
        ValueError: If something else is no picture.
    """
    return map(read_source, list_sources(inputs))


def read_source(source: Source) -> Picture:
    """Read one of what :func:`list_sources` gives.

    Raises:
        OSError: If a file or an address cannot be read as a picture; names it.
        ValueError: If an array is no picture.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, np.ndarray):
        image = to_rgb(source)  # a copy: whoever gave the array may go on with it
        return Picture(image.copy() if np.may_share_memory(image, source) else image)
    if not isinstance(source, str):
        return Picture(to_rgb(source))
    image = download_picture(source) if is_url(source) else read_picture(source)
    return Picture(np.ascontiguousarray(image[..., ::-1]), source)


def list_sources(inputs: object) -> Iterator[Source]:
    """Name the pictures that are meant, without reading any.

    Args:
        inputs: A file, a folder (all pictures in it and below, by name), a pattern such as
            ``'photos/*.jpg'`` or ``'**/*.png'``, an address (``'https://...'``), an array (RGB), an
            image of Pillow's, a :class:`Picture`; or a list, a generator or another iterable of
            these, which is asked for one at a time.

    Yields:
        str | ndarray | Image | Picture: Names of files, addresses, and pictures in memory.

    Raises:
        FileNotFoundError: If there is no such file or folder, or nothing in it.
        ValueError: If it is something else.
    """
    if isinstance(inputs, (str, Path)):
        yield from _files(os.fspath(inputs))
    elif isinstance(inputs, (np.ndarray, Image.Image, Picture)):
        yield inputs
    elif _is_series(inputs):
        for one in inputs:
            yield from list_sources(one)
    else:
        raise ValueError(
            f'A {type(inputs).__name__} is no picture. Give the name of a file or of a folder, an '
            "address, an array, RGB, (H, W, 3), an image of Pillow's, or a list of these.")


def _is_series(inputs: object) -> bool:
    return isinstance(inputs, Iterable) and not (
        isinstance(inputs, (bytes, Mapping, set, frozenset)) or hasattr(inputs, 'shape'))


def _files(name: str) -> list[str]:
    if is_url(name) or '://' in name or os.path.isfile(name):
        return [name]
    if os.path.isdir(name):
        return _pictures_below(name)
    if glob.has_magic(name):
        found = sorted(filter(os.path.isfile, glob.iglob(name, recursive=True)))
        if not found:
            raise FileNotFoundError(f'No file fits the pattern {name}.')
        return found
    raise FileNotFoundError(f'{name}: there is no such file or folder.')


def files_below(folder: str, endings: tuple[str, ...]) -> Iterator[str]:
    """Files in a folder and below, by name; without those that are hidden.

    Args:
        folder (str): The folder.
        endings (tuple[str, ...]): In small letters; capitals do not count.
    """
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(inner for inner in folders if not inner.startswith('.'))
        for name in sorted(names):
            if name.lower().endswith(endings) and not name.startswith('.'):
                yield os.path.join(place, name)


def _pictures_below(folder: str) -> list[str]:
    found = [*files_below(folder, ENDINGS)]
    if not found:
        raise FileNotFoundError(f'The folder {folder} has no pictures ({", ".join(ENDINGS)}).')
    return found
