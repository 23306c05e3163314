"""Comparing arrays: what passes, and what does not."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

FOLDER = Path(__file__).parent


@pytest.fixture(scope='module')
def parts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield tuple(importlib.import_module(name) for name in (
            'golden_sets', 'parity_rows', 'parity_results', 'parity_checks'))


def row(parts, theirs, ours, name='pixel.ms0', **known):
    sets, rows, *_ = parts
    golden = sets.Golden(np.asarray(theirs), **known)
    return rows.compare('label', 'img0', name, golden, rows.Span.of(torch.as_tensor(ours)))


def test_errors_are_those_of_the_largest_value(parts):
    found = row(parts, np.float32([1, -4]), torch.tensor([1.0, -4.0002]))
    assert found.relative == pytest.approx(5e-5, rel=1e-2) and found.passed
    assert not row(parts, np.float32([1, -4]), torch.tensor([1.001, -4.0])).passed
    assert row(parts, np.float32([1, -4]), torch.tensor([1.001, -4.0]), 'final.prob').tolerance \
        == 3e-4
    assert row(parts, np.float32([1]), torch.tensor([1.5]), largest=1e5).passed


def test_what_is_no_number_fails_and_equal_infinities_pass(parts):
    infinite = np.float32([-np.inf, 2])
    assert row(parts, infinite, torch.tensor([-torch.inf, 2.0])).passed
    assert not row(parts, infinite, torch.tensor([-torch.inf, 2.1])).passed
    assert not row(parts, infinite, torch.tensor([-50.0, 2.0])).passed
    assert not row(parts, np.float32([1, 2]), torch.tensor([torch.nan, 2.0])).passed
    assert not row(parts, np.float32([np.nan, 2]), torch.tensor([1.0, 2.0])).passed


def test_arrays_without_elements_are_equal_to_such_only(parts):
    empty = np.zeros((0, 3), np.float32)
    assert row(parts, empty, torch.zeros(0, 3)).passed
    assert row(parts, empty.astype(int), torch.zeros(0, 3, dtype=torch.int64)).passed
    assert not row(parts, empty, torch.zeros(2, 3)).passed
    assert not row(parts, np.zeros(3, np.float32), torch.zeros(0)).passed
    assert row(parts, np.zeros(0, bool), torch.zeros(0, dtype=torch.bool), packed=True).passed


def test_samples_are_compared_where_they_are_from(parts):
    whole = torch.arange(5000.0)
    places = np.arange(1024) * 2654435761 % 5000
    sample = whole.numpy()[places]
    assert row(parts, sample, whole, sampled=True, size=5000).passed
    assert not row(parts, sample, whole + 1, sampled=True, size=5000).passed
    assert 'another shape' in row(parts, sample, whole[:4999], sampled=True, size=5000).stage
    assert 'another shape' in row(parts, whole.numpy()[:9], whole, size=5000).stage


def test_of_maps_a_few_pixels_may_differ_of_tokens_none(parts):
    theirs, ours = np.zeros(2000, int), torch.zeros(2000, dtype=torch.int64)
    ours[7] = 1
    assert row(parts, theirs, ours, 'out.sem_argmax').passed
    assert not row(parts, theirs, ours, 'tokens.raw').passed
    ours[:2] = 1
    assert not row(parts, theirs, ours, 'out.sem_argmax').passed


@pytest.fixture
def case(parts):
    """Two instances of a class, one of another, and a panoptic map of two segments."""
    sets, *_ = parts
    arrays = dict(scores=np.float32([0.5, 0.3, 0.5]), classes=np.array([1, 1, 2]),
                  mask_areas=np.array([8, 3, 5]))
    arrays = {f'out.inst.{name}': sets.Golden(values) for name, values in arrays.items()}
    arrays['out.panoptic.thr0'] = sets.Golden(np.uint8([[1, 1, 2, 0]]))
    segments = [dict(id=1, category_id=1, isthing=True), dict(id=2, category_id=0, isthing=False)]
    return sets.Case('label', 'img0', [np.zeros((3, 1, 8))], [(1, 8)], [['a'], ['b'], ['c']],
                     [1, 2],
                     arrays, dict(thr0=segments))


def stages(
    scores=(0.3, 0.5, 0.5), classes=(1, 2, 1), areas=(3, 5, 8), panoptic=(1001, 1001, 0, -1)
):
    return {
        'out.inst.scores': torch.tensor(scores), 'out.inst.classes': torch.tensor(classes),
        'out.inst.mask_areas': torch.tensor(areas), 'out.panoptic.thr0': torch.tensor([panoptic])}


@pytest.fixture
def verdict(parts, case):
    """Give a function that compares some runs: what fails, and what passes by its range only."""
    _, rows, results, checks = parts

    def verdict(*runs):
        spans = lines = None
        for run in runs:
            run = {**run, **results.matched_instances(case, run)}
            spans = rows.spans_of(run, spans)
            lines = rows.best(list(checks.compare_case(case, spans, run)), lines)
        assert len(lines) == 6
        return ({row.stage.removeprefix('out.') for row in lines if not row.passed},
                {row.stage.removeprefix('out.') for row in lines if row.jumps})

    return verdict


def test_instances_come_in_any_order(verdict):
    assert verdict(stages()) == (set(), set())
    assert verdict(stages(scores=(0.31, 0.5, 0.5))) == ({'inst.scores'}, set())
    assert verdict(stages(classes=(1, 2, 0))) == ({'inst.classes'}, set())
    assert verdict(stages(areas=(4, 5, 8))) == ({'inst.mask_areas'}, set())


def test_scores_and_areas_have_the_range_of_several_runs(verdict):
    """A pixel of the smallest mask is there or not; the order of the instances changes as well."""
    more, fewer = stages(scores=(0.301, 0.5, 0.5), areas=(4, 5, 8)), stages(
        scores=(0.5, 0.5, 0.299), classes=(1, 2, 1), areas=(8, 5, 2))
    assert verdict(more) == ({'inst.scores', 'inst.mask_areas'}, set())
    assert verdict(more, fewer) == (set(), {'inst.scores', 'inst.mask_areas'})
    assert verdict(more, more)[0] == {'inst.scores', 'inst.mask_areas'}


def test_an_instance_more_or_less_fails(verdict):
    less = stages(scores=(0.5, 0.5), classes=(2, 1), areas=(5, 8))
    more = stages(scores=(0.3, 0.5, 0.5, 0.1), classes=(1, 2, 1, 0), areas=(3, 5, 8, 1))
    everything = {'inst.scores', 'inst.classes', 'inst.mask_areas', 'inst (surplus)'}
    assert verdict(less) == (everything, set())
    assert verdict(more) == ({'inst (surplus)'}, set())
    assert verdict(less, stages()) == (set(), everything)
    nothing = stages(scores=(), classes=(), areas=())
    assert verdict(nothing)[0] == everything


def test_segments_count_in_the_run_that_agrees_best(verdict):
    other = stages(panoptic=(1001, 1001, 2000, -1))
    lost = stages(panoptic=(1001, 1001, -1, -1))
    for run in (other, lost):
        assert verdict(run) == ({'segments.thr0'}, set())
    assert verdict(other, lost, stages()) == (set(), {'segments.thr0'})


def test_a_map_and_its_segments_belong_together(verdict, case):
    case.segments['thr0'].pop()  # the map has a segment that is in no list
    assert verdict(stages())[0] == {'panoptic.thr0', 'segments.thr0'}
