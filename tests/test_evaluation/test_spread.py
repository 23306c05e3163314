import math

import pytest

from mmodise.evaluation import Spread, judge


def test_mean_and_sample_deviation():
    spread = Spread.of([1.0, 2.0, 6.0])
    assert spread == pytest.approx((3.0, math.sqrt((4 + 1 + 9) / 2)))
    assert str(spread) == '3.0 ± 2.6'


def test_a_single_seed_has_no_deviation():
    spread = Spread.of([5.25])
    assert spread.mean == 5.25 and math.isnan(spread.deviation)
    assert str(spread) == '5.2'


@pytest.mark.parametrize('values', [[], [1.0, None]])
def test_what_was_not_measured_has_no_mean(values):
    assert math.isnan(Spread.of(values).mean) and str(Spread.of(values)) == '-'


@pytest.mark.parametrize(('ours', 'other', 'expected'), [
    ((5.0, 1.0), (2.0, 1.5), '+3.0 (± 2.5), **shows**'),
    ((5.0, 1.0), (2.0, 2.0), '+3.0 (± 3.0), does not show'),
    ((2.0, 0.5), (5.0, 1.0), '-3.0 (± 1.5), **the opposite shows**'),
    ((0.0, 0.0), (0.0, 0.0), '+0.0 (± 0.0), does not show'),
    ((5.0, math.nan), (2.0, 1.0), '+3.0, one seed: no verdict'),
    ((5.0, 1.0), (math.nan, math.nan), '-'),
])
def test_a_difference_counts_beyond_both_deviations(ours, other, expected):
    assert judge(Spread(*ours), Spread(*other)) == expected
