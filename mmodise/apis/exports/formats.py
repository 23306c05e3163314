"""The formats of files that a result can be saved in."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ...utils import WholeFileBackend
from .class_map import encode_class_map
from .coco_instances import encode_coco_instances
from .coco_panoptic import encode_coco_panoptic
from .labelme import encode_labelme
from .picture import PICTURE_ENDINGS, encode_picture
from .result_json import encode_json
from .segment_table import encode_csv

if TYPE_CHECKING:
    from ..panoptic_result import PanopticResult


class Format(NamedTuple):
    """A format of files.

    Args:
        encode (Callable): Makes the files of a result, by their paths; gets the result and the
            path that was asked for.
        endings (tuple[str, ...]): Of such a path; the first is the usual one.
        suffix (str): What is put behind the name of a picture for the name of its result.
    """

    encode: Callable[[PanopticResult, Path], dict[Path, bytes]]
    endings: tuple[str, ...]
    suffix: str = ''


#: By name.
FORMATS = {
    'picture': Format(encode_picture, ('.png', *PICTURE_ENDINGS)),
    'coco-panoptic': Format(encode_coco_panoptic, ('.png', '.json'), '_panoptic'),
    'coco-instances': Format(encode_coco_instances, ('.json', ), '_instances'),
    'labelme': Format(encode_labelme, ('.json', )),
    'semantic': Format(encode_class_map, ('.png', ), '_semantic'),
    'json': Format(encode_json, ('.json', ), '_segments'),
    'csv': Format(encode_csv, ('.csv', )),
}


def save_result(
    result: PanopticResult, path: str | Path, format_name: str | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write a result, each file as a whole or not at all.

    Args:
        result (PanopticResult): The result.
        path (str | Path): The file; a format of two files has the other beside it.
        format_name (str, optional): One of ``FORMATS``. Defaults to None, told by the ending.
        overwrite (bool): Whether files of another content may be replaced. Defaults to False.

    Returns:
        list[Path]: What was written.

    Raises:
        FileExistsError: If there is a file of another content already.
        OSError: If it cannot be written.
        ValueError: If the format is not known, or not clear, or cannot hold the result.
    """
    path = Path(path)
    files = find_format(path, format_name).encode(result, path)
    for file, content in files.items():
        if not overwrite and os.path.lexists(file) and not _holds(file, content):
            raise FileExistsError(
                f'{file} is there already, with another content. Give another name, or '
                'overwrite=True to replace it.')
    backend = WholeFileBackend()
    for file, content in files.items():
        backend.put(content, file)
    return list(files)


def find_format(path: str | Path, name: str | None = None) -> Format:
    """Find a format by its name, or by the ending of a path.

    ``.png`` is a picture; ``.json`` may be several.

    Raises:
        ValueError: If it is not known, or not clear, or does not have this ending.
    """
    ending = Path(path).suffix.lower()
    fitting = [key for key, value in FORMATS.items() if ending in value.endings]
    if name is None and ending == '.png':
        name = 'picture'
    if name is None and len(fitting) == 1:
        name, = fitting
    if name is None:
        raise ValueError(_unclear(Path(path), fitting))
    if name not in FORMATS:
        raise ValueError(f'There is no format {name!r}. There are: {", ".join(FORMATS)}.')
    if ending not in FORMATS[name].endings:
        raise ValueError(
            f'{path}: files of the format {name!r} end in {" or ".join(FORMATS[name].endings)}.')
    return FORMATS[name]


def _unclear(path: Path, fitting: list[str]) -> str:
    if fitting:
        choices = ' or '.join(f'format={name!r}' for name in fitting)
        return f'{path}: a file {path.suffix} may be several things. Say which: {choices}.'
    endings = {ending for value in FORMATS.values() for ending in value.endings}
    return (f'{path}: no format has the ending {path.suffix!r}. There are '
            f'{", ".join(sorted(endings))}.')


def _holds(file: Path, content: bytes) -> bool:
    return file.is_file() and file.read_bytes() == content
