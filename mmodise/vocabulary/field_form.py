"""The form that the field's lists have: a class a line, ``id:name,synonym,…``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .names import ClassNames, find_fault
from .structures import INVALID, read_entry

_LINE = re.compile(r'(\d+)\s*:\s*(.*)')
_OTHER_SEPARATORS = re.compile(r'[;\t|]|\s\.(\s|$)|\.$')


def read_field_form(lines: list[tuple[int, str]]) -> list[ClassNames] | None:
    """Read lines that all have an id, as the lists of OpenSeg, ODISE and FC-CLIP.

    Classes are in the order of the lines, and ids are not used, as in the field. Only the name
    ``invalid_class_id`` drops a line; id 0 may be a class. A name may hold a colon. One comma too
    many at the end does no harm.

    Args:
        lines: Numbers, from 1, and text.

    Returns:
        list[ClassNames] | None: None if it is another form.

    Raises:
        ValueError: If an id, or the first name of a class, is there twice, or a line holds what
            cannot be a name; says in which lines.
    """
    found = [_LINE.fullmatch(line) for _, line in lines]
    if len(lines) < 2 or not all(found) or any(_OTHER_SEPARATORS.search(line) for _, line in lines):
        return None
    read = [(number, match[1], _read_names(number, line, match[2]))
            for (number, line), match in zip(lines, found, strict=True)]
    classes = [entry for entry in read if entry[2][0] != INVALID]
    _refuse_twice('id', ((number, str(int(key))) for number, key, _ in classes))
    _refuse_twice('class', ((number, names[0]) for number, _, names in classes))
    return [names for *_, names in classes]


def _read_names(number: int, line: str, text: str) -> ClassNames:
    try:
        names = read_entry(text)
        reason = find_fault(names)
    except ValueError as error:
        raise ValueError(f'Line {number}: {error}') from error
    if reason:
        raise ValueError(f"Line {number}, {line!r}: {reason}. Expected: 'id:name,synonym'.")
    return names


def _refuse_twice(what: str, keys: Iterable[tuple[int, str]]) -> None:
    lines: dict[str, int] = {}
    for number, key in keys:
        if key in lines:
            raise ValueError(f'The {what} {key!r} is in line {lines[key]} and in line {number}. '
                             'Give each once.')
        lines[key] = number
