"""Files that the check writes; only its own are ever overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ...utils import WholeFileBackend

_MARK = 'mmodise check_dataset'


def refuse_foreign(report: Path | None, picture: Path) -> None:
    """Refuse to write over files that are not an earlier report or picture.

    Raises:
        ValueError: Names the file.
    """
    for path, is_own in ((report, _is_report), (picture, _is_picture)):
        if path is not None and path.exists() and not is_own(path):
            raise ValueError(f'{path} is there, and was not written by this command: it is not '
                             'overwritten. Give another name.')


def write_report(content: str, path: Path) -> None:
    """Write a report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    WholeFileBackend().put_text(content + '\n', path)


def write_picture(picture: np.ndarray, path: Path) -> None:
    """Write the picture of samples, RGB, uint8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = PngInfo()
    mark.add_text('Software', _MARK)
    Image.fromarray(picture).save(path, format='PNG', pnginfo=mark)


def _is_report(path: Path) -> bool:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {'errors', 'odd', 'sets'} <= set(content)


def _is_picture(path: Path) -> bool:
    try:
        with Image.open(path) as picture:
            return picture.info.get('Software') == _MARK
    except OSError:
        return False
