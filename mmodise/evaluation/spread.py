"""Results of several seeds: their mean and spread, and what a difference of two is worth."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import NamedTuple


class Spread(NamedTuple):
    """Mean and sample standard deviation over seeds.

    A mean of nan: there is no value. A deviation of nan: there is but one.
    """

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread:
        """Of the values of all seeds; nan where there is none, or where one of them is None."""
        values = list(values)
        if not values or None in values:
            return cls(math.nan, math.nan)
        deviation = statistics.stdev(values) if len(values) > 1 else math.nan
        return cls(statistics.mean(values), deviation)

    def __str__(self) -> str:
        if math.isnan(self.mean):
            return '-'
        deviation = '' if math.isnan(self.deviation) else f' ± {self.deviation:.1f}'
        return f'{self.mean:.1f}{deviation}'


def judge(ours: Spread, other: Spread) -> str:
    """Say whether ours is larger, and how sure that is.

    Returns:
        str: The difference of the means, the sum of both deviations, and whether the difference
        exceeds it, such as '+3.2 (± 1.1), **shows**'.
    """
    difference, deviations = ours.mean - other.mean, ours.deviation + other.deviation
    if math.isnan(difference):
        return '-'
    if math.isnan(deviations):
        return f'{difference:+.1f}, one seed: no verdict'
    if abs(difference) <= deviations:
        verdict = 'does not show'
    else:
        verdict = '**shows**' if difference > 0 else '**the opposite shows**'
    return f'{difference:+.1f} (± {deviations:.1f}), {verdict}'
