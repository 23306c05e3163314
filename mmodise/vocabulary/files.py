"""Vocabulary files."""

from __future__ import annotations

import codecs
from pathlib import Path

from .parsing import read_text
from .structures import Classes

_MARKS = {  # the longer ones first: UTF-32's begins as UTF-16's
    codecs.BOM_UTF32_LE: 'utf-32', codecs.BOM_UTF32_BE: 'utf-32', codecs.BOM_UTF8: 'utf-8-sig',
    codecs.BOM_UTF16_LE: 'utf-16', codecs.BOM_UTF16_BE: 'utf-16'}


def read_file(path: str | Path) -> Classes:
    """Read the classes of a file, in any notation of :func:`read_text`.

    Args:
        path: UTF-8, or another UTF with a byte order mark. Its ending does not matter.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If it is not such a text, holds no class, or cannot be read as it was meant.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'The vocabulary file {path} ' + (
                'is a folder.' if path.is_dir() else 'does not exist.'))
    text = _decode(path)
    try:
        classes = read_text(text)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    if not classes.things + classes.stuff:
        raise ValueError(f"The vocabulary file {path} holds no class. Write 'name,synonym' lines.")
    return classes


def _decode(path: Path) -> str:
    content = path.read_bytes()
    if content.startswith(b'version https://git-lfs'):
        raise ValueError(f'The vocabulary file {path} is a pointer of Git LFS. Run git lfs pull.')
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), 'utf-8')
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f'The vocabulary file {path} is not UTF-8 text ({error}). Save it as UTF-8.'
        ) from error
    if '\0' in text:
        raise ValueError(
            f'The vocabulary file {path} is not UTF-8 text, but binary or UTF-16 without a mark '
            '(it holds zeros). Save it as UTF-8.')
    return text
