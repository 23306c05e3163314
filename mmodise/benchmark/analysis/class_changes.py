"""How the figure of each class has changed from one test to another."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...evaluation import ClassFigures

_GROUPS = {True: 'seen in training', False: 'not seen', None: 'all classes'}


class ClassChange(NamedTuple):
    """A figure of a class in two tests, in percent; nan where a test has none.

    Args:
        name (str): The class.
        seen (bool, optional): Whether it was seen in training; None if nothing says so.
        first (float): In the first test.
        second (float): In the second.
    """

    name: str
    seen: bool | None
    first: float
    second: float

    @property
    def difference(self) -> float:
        """How much larger the second is."""
        return self.second - self.first

    @property
    def text(self) -> str:
        """The difference with a sign, such as '+1.2'."""
        return f'{round(self.difference, 1) + 0:+.1f}'  # no '-0.0'


def compare_classes(first: ClassFigures, second: ClassFigures, key: str) -> list[ClassChange]:
    """The classes of two tests, the largest loss first; at the end those that one of them lacks.

    Args:
        first (ClassFigures): Of the first test.
        second (ClassFigures): Of the second; it says what was seen, where the first does not.
        key (str): The figure.
    """
    columns, seen = (first.column(key), second.column(key)), {**second.seen, **first.seen}
    changes = [ClassChange(name, seen.get(name), *(column.get(name, math.nan)
                                                   for column in columns))
               for name in dict.fromkeys([*columns[0], *columns[1]])]
    return sorted(changes, key=lambda change: (math.isnan(change.difference), change.difference))


def groups_of(changes: Sequence[ClassChange]) -> Iterator[tuple[str, list[ClassChange]]]:
    """Base and novel classes apart, of those that both tests have."""
    known = [change for change in changes if not math.isnan(change.difference)]
    for seen, title in _GROUPS.items():
        group = [change for change in known if change.seen is seen]
        if group:
            yield title, group


def extremes(group: Sequence[ClassChange], count: int) -> list[ClassChange]:
    """The largest losses and gains of a sorted group; all of it, if there are few.

    Args:
        group (Sequence[ClassChange]): Sorted by their difference.
        count (int): How many of each.
    """
    return [*group] if len(group) <= 2 * count else [*group[:count], *group[-count:]]


def means(group: Sequence[ClassChange]) -> tuple[float, float]:
    """Means of the classes of a group in both tests."""
    return tuple(statistics.mean(values) for values in zip(
        *((change.first, change.second) for change in group), strict=True))
