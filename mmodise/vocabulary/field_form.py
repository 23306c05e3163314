"""The form that the field's lists have: a class a line, ``id:name,synonym,…``."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable

from .names import ClassNames, find_fault
from .structures import INVALID, read_entry

_LINE = re.compile(r'(\d+)\s*:\s*(.*)')
_OTHER_SEPARATORS = re.compile(r'[;\t|]|\s\.(\s|$)|\.$')


def read_field_form(lines: list[tuple[int, str]]) -> list[ClassNames] | None:
    """Read lines that all have an id, as the lists of OpenSeg, ODISE and FC-CLIP.

    Classes are in the order of the lines, and ids are not used, as in the field. Only the name
    ``invalid_class_id`` drops a line; id 0 may be a class. A name may hold a colon. One comma too
    many at the end does no harm. Of classes with one first name (papers' lists have some) others
    are shown by another of their names, with a warning.

    Args:
        lines: Numbers, from 1, and text.

    Returns:
        list[ClassNames] | None: None if it is another form.

    Raises:
        ValueError: If an id, or a class without another name, is there twice, or a line holds what
            cannot be a name; says in which lines.
    """
    found = [_LINE.fullmatch(line) for _, line in lines]
    if len(lines) < 2 or not all(found) or any(_OTHER_SEPARATORS.search(line) for _, line in lines):
        return None
    read = [(number, match[1], _read_names(number, line, match[2]))
            for (number, line), match in zip(lines, found, strict=True)]
    classes = [entry for entry in read if entry[2][0] != INVALID]
    _refuse_twice('id', ((number, str(int(key))) for number, key, _ in classes))
    named = _tell_apart([(number, names) for number, _, names in classes])
    _refuse_twice('class', ((number, names[0]) for number, names in named))
    return [names for _, names in named]


def _tell_apart(classes: list[tuple[int, ClassNames]]) -> list[tuple[int, ClassNames]]:
    """Show classes of one first name by others of their names: papers' lists have such classes.

    The names stay the same. One class keeps its name: the first that has no other, or the first.
    """
    counts = Counter(names[0] for _, names in classes)
    taken = set(counts)
    for name in (name for name, count in counts.items() if count > 1):
        rows = [row for row, (_, names) in enumerate(classes) if names[0] == name]
        keeper = next((row for row in rows if taken.issuperset(classes[row][1])), rows[0])
        for row in rows:
            number, names = classes[row]
            other = next((other for other in names if other not in taken), None)
            if row != keeper and other:
                logging.getLogger(__name__).warning(
                    'Lines %d and %d have classes of the name %r; that of line %d is shown as %r.',
                    classes[keeper][0], number, name, number, other)
                taken.add(other)
                classes[row] = number, tuple(dict.fromkeys((other, *names)))
    return classes


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
