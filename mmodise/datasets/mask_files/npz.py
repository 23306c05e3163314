"""Masks in a file of numpy's: an array for each picture, under its name.

``NAME`` is ``(N, H, W)``, bool or whole numbers that are not 0 in the mask; or a map ``(H, W)``
of whole numbers, 0 where there is no mask, any other number a mask of its own. ``NAME:scores``,
``(N,)``, may give masks of the first kind a probability. A name may have folders, and need not have
an ending: ``numpy.savez_compressed('masks.npz', **{'a/1.jpg': masks, 'a/1.jpg:scores': scores})``.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from .picture_masks import MaskEntry, MaskFileError, PictureMasks, Shape

_SCORES = ':scores'
_LAYOUT = (
    'An array is called after a picture, and is (N, H, W), bool, or a map (H, W) of whole numbers; '
    f"'NAME{_SCORES}' is (N,), from 0 to 1.")
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz_masks(path: Path) -> Iterator[MaskEntry]:
    """Read and check the headers of a file of arrays; the arrays are read later.

    Raises:
        MaskFileError: If it is no such file, or an array has another shape or kind.
    """
    headers = _read_headers(path)
    for name, (shape, kind) in headers.items():
        is_of_scores = name.endswith(_SCORES)
        if is_of_scores and name.removesuffix(_SCORES) not in headers:
            raise MaskFileError(f'{path}: {name!r} is of no picture here. {_LAYOUT}')
        if is_of_scores:
            continue
        if len(shape) not in (2, 3) or kind not in 'bui' or 0 in shape[-2:]:
            raise MaskFileError(
                f'{path}: {name!r} has the shape {shape} and is of kind {kind!r}. {_LAYOUT}')
        scores = headers.get(f'{name}{_SCORES}')
        if scores is not None and (len(shape) != 3 or scores[0] != shape[:1]):
            raise MaskFileError(f'{path}: the scores of {name!r} have the shape {scores[0]}, and '
                                f'the masks {shape}. {_LAYOUT}')
        yield MaskEntry(name, shape[-2:], partial(_read, path, name, scores is not None), path)


def _read_headers(path: Path) -> Mapping[str, tuple[tuple[int, ...], str]]:
    """Shape and kind of each array."""
    headers = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                with archive.open(member) as file:
                    shape, _, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
                headers[member.removesuffix('.npy')] = shape, dtype.kind
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError) as error:
        raise MaskFileError(f'{path} is no file of numpy.savez, or was cut short ({error}). '
                            f'{_LAYOUT}') from error
    return headers


def _read(path: Path, name: str, has_scores: bool, shape: Shape) -> PictureMasks:
    with np.load(path, allow_pickle=False) as file:
        try:
            array = file[name]
            scores = file[f'{name}{_SCORES}'].astype(float) if has_scores else None
        except (zipfile.BadZipFile, zlib.error, ValueError) as error:
            raise MaskFileError(f'{path}: {name!r} cannot be read ({error}).') from error
    if scores is not None and not ((scores >= 0) & (scores <= 1)).all():
        raise MaskFileError(f'{path}: the scores of {name!r} are not all from 0 to 1.')
    if array.ndim == 3:
        return PictureMasks(array.astype(bool), scores)
    values = np.unique(array)
    return PictureMasks(array[None] == values[values != 0][:, None, None])
