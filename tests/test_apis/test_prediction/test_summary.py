import pickle

import numpy as np
import pytest

from mmodise.apis.prediction import Summary
from mmodise.apis.prediction.summary import _ClassCount, segment_table
from mmodise.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_string('cat; dog', 'sky')


@pytest.fixture
def results(build_result):
    return [build_result(np.array([[1, 1, 2, 3]]), ['dog', 'sky', 'dog'], VOCABULARY,
                         scores=[0.5, 0.6, 0.75]),
            build_result(np.array([[1, 0, 0, 0]]), ['sky'], VOCABULARY)]


def cells(table):
    return [[cell.strip() for cell in line.strip('|').split('|')]
            for line in table.splitlines() if line.startswith('|')]


def test_the_table_of_several_processes(results):
    parts = [Summary(done=1, failures=['b.jpg: bad']), Summary(done=1, before=2)]
    for part, result in zip(parts, results, strict=True):
        part.add(result)
    whole = Summary.of_all(pickle.loads(pickle.dumps(parts)))
    assert cells(whole.table()) == [
        ['class', 'kind', 'pictures', 'segments', 'share where it is'],
        ['sky', 'stuff', '2', '2', '25.0%'], ['dog', 'thing', '1', '2', '75.0%']]
    assert whole.line(4.0) == (
        '2 done in 4.0 s, 0.50 a second; 2 were done before, and have not changed; 1 failed')


def test_a_long_table_is_cut():
    names = [f'class {i:02}' for i in range(40)]
    summary = Summary()
    summary.classes.update({name: _ClassCount(True, 1, 1, 0.1) for name in names})
    assert summary.table().endswith('and 10 classes more') and 'class 30' not in summary.table()


def test_segments_of_a_picture(results):
    assert cells(segment_table(results[0])) == [
        ['class', 'kind', 'score', 'share', 'left, top, right, bottom'],
        ['dog', 'thing', '0.50', '50.0%', '0, 0, 2, 1'],
        ['sky', 'stuff', '0.60', '25.0%', '2, 0, 3, 1'],
        ['dog', 'thing', '0.75', '25.0%', '3, 0, 4, 1']]
