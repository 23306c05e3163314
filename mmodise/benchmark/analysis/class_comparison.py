"""Two tests of one data set, class by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from terminaltables import AsciiTable

from ...evaluation import ClassFigures
from ...evaluation.class_figures import FILE_NAME, write_csv
from .class_changes import ClassChange, compare_classes, extremes, groups_of, means
from .comparison_chart import draw_changes


def find_pairs(
    first: Path, second: Path, name: str | None = None
) -> dict[str, tuple[ClassFigures, ClassFigures]]:
    """Read the figures of classes of two tests, by data set.

    Args:
        first (Path): A file ``classes.csv``, a folder with one, the work folder of a test (of
            several the last is taken), or that of a test on several data sets.
        second (Path): Likewise.
        name (str, optional): The data set. Defaults to None, all that both have.

    Raises:
        FileNotFoundError: If one has no such file.
        ValueError: If they have no data set, or no class, in common.
    """
    files = [_find_files(path) for path in (first, second)]
    common = [key for key in files[0] if key in files[1]]
    if all(len(found) == 1 for found in files) and not common:
        pairs = {'': tuple(next(iter(found.values())) for found in files)}
    else:
        pairs = {key: (files[0][key], files[1][key]) for key in common if name in (None, key)}
    if not pairs:
        raise ValueError(
            f'{first} has figures of {", ".join(files[0])}, and {second} of {", ".join(files[1])}: '
            f'there is {"nothing" if name is None else f"no {name!r}"} in common.')
    read = {key: tuple(map(ClassFigures.read, paths)) for key, paths in pairs.items()}
    for key, (one, other) in read.items():
        if one.values.keys().isdisjoint(other.values):
            raise ValueError(
                f'{pairs[key][0]} and {pairs[key][1]} have no class in common: {_some(one)}, and '
                f'{_some(other)}. Are they of different data sets?')
    return read


def _find_files(path: Path) -> dict[str, Path]:
    """Files of figures by data set; '' is one without a name."""
    if path.is_file():
        return {'': path}
    if (path / FILE_NAME).is_file():
        return {'': path / FILE_NAME}
    several = sorted(path.glob(f'data_sets/*/{FILE_NAME}'))
    if several:
        return {file.parent.name: file for file in several}
    runs = sorted(path.glob(f'*/{FILE_NAME}'))
    if not runs:
        raise FileNotFoundError(
            f'{path} has no {FILE_NAME}. A test writes it into WORK_DIR/TIMESTAMP or '
            'WORK_DIR/data_sets/NAME, analyze_predictions into its --out-dir.')
    return {'': runs[-1]}


def _some(figures: ClassFigures) -> str:
    return ', '.join([*figures.values][:3])


def write_comparison(
    first: ClassFigures, second: ClassFigures, labels: tuple[str, str], folder: Path,
    count: int = 15,
) -> str:
    """Write ``comparison.csv``, and a chart of each main figure that both have.

    Args:
        first (ClassFigures): Of the first test.
        second (ClassFigures): Of the second.
        labels (tuple[str, str]): What the tests are called.
        folder (Path): Where to.
        count (int): How many losses and gains are shown of each group. Defaults to 15.

    Returns:
        str: Tables for people.

    Raises:
        ValueError: If there is no figure that both have.
    """
    keys = [key for key in first.main_keys if key in second.keys]
    if not keys:
        raise ValueError(f'The tests have no figure in common: {", ".join(first.keys)}, and '
                         f'{", ".join(second.keys)}.')
    folder.mkdir(parents=True, exist_ok=True)
    rows, texts = [], []
    for key in keys:
        changes = compare_classes(first, second, key)
        rows += [(key, change.name, '' if change.seen is None else 'yes' if change.seen else 'no',
                  *('' if math.isnan(value) else value
                    for value in (change.first, change.second, change.difference)))
                 for change in changes]
        draw_changes(changes, folder / f'comparison_{key}.png', key, labels, count)
        texts.append(format_changes(changes, key, labels, count))
    write_csv(folder / 'comparison.csv', (
        'figure', 'class', 'seen in training', *_distinct(labels), 'difference'), rows)
    return '\n'.join(texts)


def _distinct(labels: tuple[str, str]) -> tuple[str, str]:
    return labels if labels[0] != labels[1] else (f'{labels[0]} (1)', f'{labels[1]} (2)')


def format_changes(
    changes: Sequence[ClassChange], key: str, labels: tuple[str, str], count: int
) -> str:
    """Tables of the largest losses and gains, base and novel classes apart, with means."""
    tables = []
    for title, group in groups_of(changes):
        shown = extremes(group, count)
        rows = [[key, *labels, 'difference']]
        rows += [[change.name, f'{change.first:.1f}', f'{change.second:.1f}',
                  change.text] for change in shown]
        first, second = means(group)
        rows.append([f'mean of {len(group)}', f'{first:.1f}', f'{second:.1f}',
                     f'{second - first:+.1f}'])
        table = AsciiTable(rows, title)
        table.inner_footing_row_border = True
        table.justify_columns = dict.fromkeys(range(1, 4), 'right')
        left_out = len(group) - len(shown)
        tables.append(table.table + (f'\n{left_out} classes in between' if left_out else ''))
    lacking = sum(math.isnan(change.difference) for change in changes)
    if lacking:
        tables.append(f'{lacking} classes have {key} in one of the tests only')
    return '\n'.join(tables)


def labels_of(first: Path, second: Path) -> tuple[str, str]:
    """What two tests are called: the parts of their paths from the first that differs on."""
    parts = [path.resolve().parts for path in (first, second)]
    same = next((number for number, (a, b) in enumerate(zip(*parts, strict=False)) if a != b),
                min(map(len, parts)))
    names = ['/'.join(each[same:]).removesuffix(FILE_NAME).rstrip('/') for each in parts]
    return tuple(name or 'the other' for name in names)
