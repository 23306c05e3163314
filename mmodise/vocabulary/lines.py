"""Classes as plain text: a class a line, or separated by semicolons or periods."""

from __future__ import annotations

import re
from itertools import pairwise

from .field_form import read_field_form
from .names import ACCEPTED, MARKS, ClassNames, is_id
from .structures import Classes, read_entries, read_entry
from .tables import read_cells

# '# things', '[stuff]', 'Stuff:', '# Stuff (regions)'
_HEADING = re.compile(
    r'(?:#+\s*|\[|(?=.*:$))(thing|stuff)s?(?:[ _]classes)?\s*(?:\]|[:(,\u2013-].*)?', re.I)
_COMMENT = re.compile(r'^(#|//)|\s#\s.*$')
# commas and semicolons of Chinese and Arabic
_FOREIGN_SEPARATORS = str.maketrans('\uff0c\u3001\u060c\uff1b\u061b', ',,,;;')

# Ids in front of a class: '7: cat' as in OpenSeg's files, '/m/01g317,Person', 'n02119789 kit fox'.
_ID = re.compile(r'^(?:\d+\s*[:=]\s*|(?:/[mgt]/\w+|n\d{8})[\s,:;|]+(?=\S))')
_NUMBERED = re.compile(r'^\(?\d+(?:[.)]\s*|\s*-\s+)(?=[^\W\d])')
_COUNTED = re.compile(r'^(\d+)\s+(?=\S)')
_BULLET = re.compile(rf'^[{MARKS}](?:\s+|(?=[^\W\d]))')

# A period that ends a class: 'cat . dog .' and 'cat. dog.', the prompts of mmdet's GLIP and
# Grounding DINO; one in 'St. Bernard' does not.
_PERIOD = re.compile(r'\s*\.(?=\s|$)\s*')
_ABBREVIATIONS = frozenset(
    ('st', 'dr', 'mr', 'mrs', 'ms', 'mt', 'ft', 'no', 'nr', 'prof', 'gen', 'sgt', 'lt', 'capt',
     'rev', 'jr', 'sr', 'vs', 'approx', 'incl', 'inc', 'ltd', 'co', 'cf', 'fig', 'vol', 'max',
     'min', 'bros', 'ave', 'blvd', 'dept', 'est'))


def read_lines(text: str) -> Classes:
    """Read a class a line; semicolons and, in one line, periods separate classes as well.

    Lines after ``# stuff`` are stuff, those after ``# things`` things. Other lines that start with
    ``#`` are comments. Ids, numbers and marks of lists in front of classes are left out, and the
    order is that of the lines.

    Raises:
        ValueError: If it is not clear where a class ends.
    """
    sections: dict[str, list[tuple[int, str]]] = dict(thing=[], stuff=[])
    kind, explicit = 'thing', False
    for number, line in _numbered_lines(text, headings=True):
        heading = _HEADING.fullmatch(line)
        if heading:
            kind, explicit = heading[1].lower(), True
        else:
            sections[kind].append((number, line))
    things, stuff = (
        read_entries(_read_section(lines)).things for lines in sections.values())
    return Classes(things, stuff, explicit)


def has_headings(text: str) -> bool:
    """Whether a line says that things or stuff follow, and what follows is plain lines."""
    lines = text.splitlines()
    indented = any(re.match(r'\s+\S|\s*-\s', line) for line in lines)
    return not indented and any(_HEADING.fullmatch(line.strip()) for line in lines)


def significant_lines(text: str) -> list[str]:
    """Lines that are neither blank nor comments."""
    return [line for _, line in _numbered_lines(text)]


def _numbered_lines(text: str, headings: bool = False) -> list[tuple[int, str]]:
    """Lines with their numbers, from 1; with ``headings`` such as ``# stuff``."""
    several = len(text.splitlines()) > 1
    lines = []
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if not (headings and _HEADING.fullmatch(line)) and several:
            line = _COMMENT.sub('', line) if not line.startswith(('#', '//')) else ''
        if line:
            lines.append((number, line.strip()))
    return lines


def _read_section(numbered: list[tuple[int, str]]) -> list[ClassNames]:
    numbered = [(number, line.translate(_FOREIGN_SEPARATORS)) for number, line in numbered]
    in_field_form = read_field_form(numbered)
    if in_field_form is not None:
        return in_field_form
    lines = [line for _, line in numbered]
    columns = _read_columns(lines)
    if columns is not None:
        return columns
    if len(lines) > 1:
        lines = _without_marks(lines)
    if any(';' in line for line in lines):
        entries = _split_semicolons(lines)
    else:
        _refuse_tab(lines)
        entries = [entry for line in _split_periods(lines) for entry in line]
    classes = [read_entry(entry) for entry in _without_marks(entries)]
    return _without_numbers(classes) if len(lines) > 1 else classes


def _read_columns(lines: list[str]) -> list[ClassNames] | None:
    """Lines of a table without titles; columns of numbers hold no names."""
    if len(lines) < 2:
        return None
    if any('\t' in line for line in lines):
        delimiter = '\t'
    elif all('|' in line for line in lines):
        delimiter = '|'
    elif all(re.match(r'\d+\s*;', line) for line in lines):
        delimiter = ';'
    else:
        return None
    rows = [[name for cell in read_cells(line.strip(delimiter), delimiter)
             for name in re.split(r'\s*[;,|]\s*', cell) if name] for line in lines]
    return [read_entry(row) for row in _without_numbers(rows)]


def _without_marks(entries: list[str]) -> list[str]:
    """Leave out what numbers or marks the entries of a list."""
    entries = [_ID.sub('', entry.strip()) for entry in entries]
    filled = [entry for entry in entries if entry]
    for mark in (_BULLET, _NUMBERED):
        if filled and all(map(mark.match, filled)):
            entries = [mark.sub('', entry) for entry in entries]
        elif mark is _NUMBERED and any(map(mark.match, filled)):
            raise ValueError(
                f'Some classes are numbered, as {next(filter(mark.match, filled))!r}, others are '
                'not. Number all or none; or put quotation marks around a name with a number.')
    counts = [_COUNTED.match(entry) for entry in entries]
    if len(counts) > 1 and all(counts):
        numbers = [int(count[1]) for count in counts]
        if numbers == list(range(numbers[0], numbers[0] + len(numbers))) and numbers[0] < 2:
            return [_COUNTED.sub('', entry) for entry in entries]
    return entries


def _without_numbers(rows: list) -> list:
    """Rows of names without a first or last column of numbers, or of ids.

    Raises:
        ValueError: If the first row looks like titles, or a column says what is stuff.
    """
    for end in (0, -1):
        while rows and all(len(row) > 1 and _is_number(row[end]) for row in rows):
            rows = [row[1:] if end == 0 else row[:-1] for row in rows]
        if len(rows) > 1 and all(len(row) > 1 and _is_number(row[end]) for row in rows[1:]):
            raise ValueError(f'The first line, {rows[0]!r}, looks like the titles of a table, but '
                             'none of them is "name".')
    if rows and all(len(row) > 1 and row[-1].lower() in ('thing', 'stuff') for row in rows):
        raise ValueError('The last column says what is stuff. Give the titles, "name,kind".')
    return rows


def _is_number(cell: str) -> bool:
    return is_id(cell) or re.fullmatch(r'-?\d+(\.\d+)?', cell) is not None


def _split_semicolons(lines: list[str]) -> list[str]:
    """Split lines at semicolons; a line ends after a semicolon, or after a comma inside a class."""
    for line, following in pairwise(lines):
        if line[-1] not in ';,' and following[0] != ';':
            raise ValueError(
                f'In {line!r} and {following!r}, semicolons and ends of lines both separate '
                f'something. {ACCEPTED}')
    text = ' '.join(lines)
    pattern = r'((?:"[^"]*"|[^;"])*)(?:;|$)' if text.count('"') % 2 == 0 else r'([^;]*)(?:;|$)'
    return [entry.strip() for entry in re.findall(pattern, text)[:-1]]  # the last match is the end


def _refuse_tab(lines: list[str]) -> None:
    if len(lines) == 1 and '\t' in lines[0]:
        raise ValueError(
            f'The line {lines[0]!r} has a tab between names. Separate classes by semicolons, the '
            'names of a class by commas.')


def _split_periods(lines: list[str]) -> list[list[str]]:
    certain = all(line.endswith('.') for line in lines) or any(
        re.search(r'\s\.(\s|$)', line) for line in lines)
    if not certain and len(lines) > 1:
        return [[line] for line in lines]
    return [_split_at_periods(line, certain) for line in lines]


def _split_at_periods(line: str, certain: bool) -> list[str]:
    entries, start = [], 0
    for period in _PERIOD.finditer(line):
        words = line[start:period.start()].split()
        inside = period.end() < len(line) and period.group()[0] == '.' and words
        if inside and _is_abbreviation(words[-1]):
            continue
        if inside and not certain and words[-1][0].isupper():
            raise ValueError(
                f'In {line!r} the period may belong to a name or end a class. Put semicolons '
                'between classes, or at the end if it is one.')
        entries.append(line[start:period.start()])
        start = period.end()
    return entries + [line[start:]] * bool(line[start:].strip())


def _is_abbreviation(word: str) -> bool:
    return len(word) == 1 or word.isdecimal() or '.' in word or word.lower() in _ABBREVIATIONS
