"""Two tests class by class, and what alpha and beta do."""

import csv

import numpy as np
import pytest
from matplotlib.figure import Figure

from mmodise.benchmark.analysis.class_comparison import find_pairs, labels_of, write_comparison
from mmodise.benchmark.analysis.ensemble_maps import format_best, grid, write_maps
from mmodise.evaluation import ClassFigures
from mmodise.vocabulary import Vocabulary


@pytest.fixture
def drawn(monkeypatch):
    """Figures by the names of their files."""
    drawn = {}
    monkeypatch.setattr(
        Figure, 'savefig', lambda self, path, **kwargs: drawn.update({path.name: self}))
    return drawn


def names_in(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


FIRST = ClassFigures(
    {'cat': dict(PQ=50.0, SQ=70.0), 'owl': dict(PQ=20.0), 'sky': dict(PQ=80.0),
     'ant': dict(PQ=9.0)}, dict(cat=True, owl=False, sky=True, ant=False))
SECOND = ClassFigures(
    {'cat': dict(PQ=45.0), 'owl': dict(PQ=30.0), 'sky': dict(PQ=81.5), 'bee': dict(PQ=1.0)}, {})


def test_table_and_chart(tmp_path, drawn):
    told = write_comparison(FIRST, SECOND, ('old', 'new'), tmp_path)
    with (tmp_path / 'comparison.csv').open() as file:
        rows = list(csv.reader(file))
    assert rows == [
        ['figure', 'class', 'seen in training', 'old', 'new', 'difference'],
        ['PQ', 'cat', 'yes', '50.0000', '45.0000', '-5.0000'],
        ['PQ', 'sky', 'yes', '80.0000', '81.5000', '1.5000'],
        ['PQ', 'owl', 'no', '20.0000', '30.0000', '10.0000'],
        ['PQ', 'ant', 'no', '9.0000', '', ''], ['PQ', 'bee', '', '', '1.0000', '']]
    assert '| mean of 2 | 65.0 | 63.2 |' in told, 'of base classes that both have'
    assert '| mean of 1 | 20.0 | 30.0 |' in told
    assert '2 classes have PQ in one of the tests only' in told
    seen, other = drawn['comparison_PQ.png'].axes
    assert 'seen in training, 2 classes' in seen.get_title() and names_in(seen) == ['cat', 'sky']
    assert names_in(other) == ['owl']
    assert [text.get_text() for text in seen.texts] == ['-5.0', '+1.5']


def test_of_many_classes_the_largest_changes_are_shown(tmp_path, drawn):
    names = Vocabulary.named('ade20k_847').class_names
    change = dict(zip(names, np.random.default_rng(0).permutation(len(names)) - 400, strict=True))
    first, second = (ClassFigures({name: dict(IoU=float(50 + share * change[name]))
                                   for name in names}, {}) for share in (0, 0.1))
    told = write_comparison(first, second, ('a', 'b'), tmp_path, count=12)
    axes, = drawn['comparison_IoU.png'].axes
    shown = [change[name] for name in names if name in names_in(axes)]
    assert sorted(shown) == [*range(-400, -388), *range(435, 447)]
    assert '823 classes in between' in told
    assert drawn['comparison_IoU.png'].get_size_inches()[1] < 12


def test_where_figures_are_found(tmp_path):
    for place in ('a/20260101_1', 'a/20260102_1', 'b/data_sets/x', 'b/data_sets/y', 'c/data_sets/y',
                  'd'):
        value = 30.0 if 'x' in place or '0101' in place else 40.0
        ClassFigures(dict(owl=dict(PQ=value)), dict(owl=False)).write(tmp_path / place, '')
    (one, other), = find_pairs(tmp_path / 'a', tmp_path / 'd').values()
    assert one.values == other.values == dict(owl=dict(PQ=40.0)), 'the last of two tests'
    assert one.seen == dict(owl=False)
    assert list(find_pairs(tmp_path / 'b', tmp_path / 'c')) == ['y']
    with pytest.raises(ValueError, match=r"of x, y, and .* no 'x' in common"):
        find_pairs(tmp_path / 'b', tmp_path / 'c', 'x')
    with pytest.raises(FileNotFoundError, match=r'nothing has no classes\.csv'):
        find_pairs(tmp_path / 'a', tmp_path / 'nothing')
    ClassFigures(dict(bee=dict(PQ=3.0)), {}).write(tmp_path / 'e', '')
    with pytest.raises(ValueError, match='no class in common: owl, and bee'):
        find_pairs(tmp_path / 'd', tmp_path / 'e')
    assert labels_of(tmp_path / 'a/20260101_1/classes.csv', tmp_path / 'd') == (
        'a/20260101_1', 'd')


def test_oracles_are_compared_with_oracles_alone(tmp_path, drawn):
    oracle = ClassFigures(dict(cat=dict(oracle_PQ=60.0)), {})
    with pytest.raises(ValueError, match='no figure in common: PQ, SQ, and oracle_PQ'):
        write_comparison(FIRST, oracle, ('a', 'b'), tmp_path)
    write_comparison(oracle, oracle, ('a', 'b'), tmp_path)
    assert 'oracle_PQ' in drawn['comparison_oracle_PQ.png'].axes[0].get_xlabel()


def test_maps_over_alpha_and_beta(tmp_path, drawn):
    steps, recipe = grid(3), (0.3, 0.7)
    assert steps == [0, 0.5, 1]
    pairs = [(alpha, beta) for alpha in steps for beta in steps] + [recipe]
    results = {(alpha, beta): {
        'coco_panoptic/PQ': 10 * alpha + beta, 'coco_panoptic/novel_PQ': 50 * beta,
        'coco/segm_mAP': 0.1} for alpha, beta in pairs}
    pictures = write_maps(results, steps, recipe, tmp_path)
    assert [path.name for path in pictures] == ['ensemble_PQ.png', 'ensemble_AP.png']
    both, novel = [axes for axes in drawn['ensemble_PQ.png'].axes if axes.images]
    assert both.images[0].get_array()[2, 0] == 1, 'beta goes up, alpha to the right'
    assert novel.get_title() == 'PQ, novel' and novel.images[0].get_array()[1, 2] == 25
    with (tmp_path / 'ensemble.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10 and [row['alpha'] for row in rows if row['recipe']] == ['0.3000']
    told = format_best(results, recipe)
    assert 'PQ, novel: 35.0 with the recipe, 50.0 at best (alpha 0, beta 1), 0.0 at worst' in told
    assert 'AP, all classes: 10.0 with the recipe' in told
