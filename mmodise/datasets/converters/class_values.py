"""Which value or colour of a map is which class."""

from __future__ import annotations

import json
import re
from pathlib import Path

from .annotated import AnnotationError

_LINE = re.compile(r'(\d+)\s*(?:[:=\t]\s*|\s+)(\S.*)')
_COLOUR = re.compile(r'(\d+)[, ]\s*(\d+)[, ]\s*(\d+)\s*[:=\t]\s*(\S.*)')
EXPECTED = (
    "Give --classes 'floor; wall; pallet', the names of the values from 0, or with values, "
    "'7: floor; 11: wall', or with colours, '128,0,0: floor', or a file with such lines.")


def parse_class_values(text: str | Path) -> dict[int, str]:
    """Names of the values of maps; of a colour the value is R + 256 G + 256^2 B.

    Args:
        text (str | Path): A file or its content: names, numbered from 0, ``VALUE: name``, or
            ``R,G,B: name``; a line or an entry between semicolons each. CVAT's ``labelmap.txt``
            (``name:R,G,B:parts:actions``) and JSON, a list or a mapping of values to names, are
            read too.

    Raises:
        AnnotationError: If it is neither, or a value or a name is double.
    """
    where, content = '--classes', str(text)
    if len(content) < 1000 and '\n' not in content and Path(content).is_file():
        where, content = content, Path(content).read_text(encoding='utf-8-sig')
    pairs = _parse_json(content) or _parse_lines(content)
    values = {}
    for value, name in pairs:
        if not 0 <= value < 256**3 or value in values or not name:
            raise AnnotationError(f'{where}: {value}: {name!r} is double or no class. {EXPECTED}')
        values[value] = name
    if not values:
        raise AnnotationError(f'{where} names no class. {EXPECTED}')
    return values


def _parse_json(content: str) -> list[tuple[int, str]]:
    try:
        found = json.loads(content)
    except ValueError:
        return []
    if isinstance(found, dict):
        items = found.items()
        return [(int(a), str(b).strip()) if str(a).isdecimal() else (int(b), a.strip())
                for a, b in items]
    return [(i, str(name).strip()) for i, name in enumerate(found)] if isinstance(
        found, list) else []


def _parse_lines(content: str) -> list[tuple[int, str]]:
    lines = [line.strip() for line in re.split(r'[;\n]', content)]
    lines = [line for line in lines if line and not line.startswith(('#', '//'))]
    of_cvat = [re.fullmatch(r'([^:]+):(\d+),(\d+),(\d+):[^:]*:[^:]*', line) for line in lines]
    if lines and all(of_cvat):
        return [(_colour(*match.groups()[1:]), match[1].strip()) for match in of_cvat]
    for pattern in (_COLOUR, _LINE):
        matches = [pattern.fullmatch(line) for line in lines]
        if lines and all(matches):
            return [(_colour(*match.groups()[:-1]), match[match.lastindex].strip())
                    for match in matches]
        if any(matches):
            line = lines[matches.index(None)]
            raise AnnotationError(f'--classes: {line!r} has no value, others have. {EXPECTED}')
    return list(enumerate(lines))


def _colour(*channels: str) -> int:
    return sum(int(channel) << 8 * i for i, channel in enumerate(channels))
