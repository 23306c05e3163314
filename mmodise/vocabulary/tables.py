"""Tables with a title over each column: CSV, TSV, Excel's with semicolons, Markdown's."""

from __future__ import annotations

import csv
import re

from .names import clean_names
from .structures import KINDS, NAMES, SYNONYMS, key_name

_IDS = ('', '#', 'id', 'idx', 'index', 'no', 'nr', 'number', 'class_id', 'category_id', 'label_id',
        'trainid', 'train_id', 'mid', 'labelname', 'code', 'key')
# as titles these stand alone; 'label' may be a class
_CERTAIN = frozenset(NAMES) - {'label', 'readable'}
_RULE = re.compile(r'^[|\s:+=-]+$')


def load_table(lines: list[str]) -> list[dict] | None:
    """The rows of a table as records, see :func:`read_entries`; None if there are no titles.

    Args:
        lines: Lines that are not blank. The first holds the titles: one for names, such as
            ``name``, perhaps others for synonyms, ids, ``isthing`` or what is not read.

    Raises:
        ValueError: If the column of the names is not clear, or a row does not fit.
    """
    separator = re.fullmatch(r'sep=(.)', lines[0]) if lines else None
    lines = lines[1:] if separator else lines
    if len(lines) < 2:
        return None
    for delimiter in [separator[1]] if separator else '\t;|,':
        titles = [key_name(cell) for cell in _cells(lines[0], delimiter)]
        if _are_titles(titles):
            rows = [line for line in lines[1:] if not _RULE.match(line)]
            return [_record(titles, _cells(row, delimiter), delimiter) for row in rows]
    _refuse_doubtful(lines[0])
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    line = line.strip('| ') if delimiter == '|' else line
    return [cell.strip() for cell in next(csv.reader(
        [line], delimiter=delimiter, skipinitialspace=True))]


def _are_titles(titles: list[str]) -> bool:
    names = [title for title in titles if title in NAMES]
    others = [title for title in titles if title in (*SYNONYMS, *KINDS, *_IDS)]
    if len(titles) == 1:
        return bool(names) and titles[0] in _CERTAIN
    if len(names) > 1 and not {'display_name', 'displayname', 'readable'} & set(names):
        raise ValueError(
            f'The table has several columns for names, {" and ".join(names)}. Leave one of them.')
    return bool(names) and bool(others or titles[0] in _CERTAIN)


def _refuse_doubtful(line: str) -> None:
    words = [key_name(word) for word in line.split()]
    spaced = len(words) > 1 and all(word in (*NAMES, *SYNONYMS, *_IDS) for word in words)
    if spaced or words in (['label'], ['readable']):
        raise ValueError(
            f'The first line, {line!r}, may be a class or the titles of a table. Remove it; or '
            'give the table commas or tabs between columns, and the title "name".')


def _record(titles: list[str], cells: list[str], delimiter: str) -> dict:
    """A row; what is left over belongs to the last column, if that holds names."""
    extra = [cell for cell in cells[len(titles):] if cell]
    if extra and titles[-1] not in (*NAMES, *SYNONYMS):
        raise ValueError(
            f'The row {delimiter.join(cells)!r} has {len(cells)} columns, the titles are '
            f'{", ".join(titles)}. Put quotation marks around cells that hold {delimiter!r}.')
    record = dict(zip(titles, cells))  # noqa: B905  columns at the end may be missing
    inside = ';|' if delimiter == ',' else ';|,'  # a comma in a cell of CSV was quoted
    for title in titles:
        if title in NAMES and title in record:
            record[title] = _split(record[title], inside)
        elif title in SYNONYMS:
            record[title] = _split(record.get(title, ''), ';|,')
    if extra:
        record[titles[-1]] = (*record[titles[-1]], *extra)
    return {title: value for title, value in record.items() if value != ''}


def _split(cell: str, separators: str) -> tuple[str, ...]:
    cell = re.sub(r'^\[(.*)\]$', r'\1', cell)  # a list, as pandas writes it
    names = (part.strip(' \'"') for part in re.split(f'[{separators}]', cell))
    return clean_names(name for name in names if name)
