import zipfile

import numpy as np
import pytest
from PIL import Image

from mmodise.apis import FORMATS
from mmodise.apis.webui.answer import COLUMNS, candidates
from mmodise.apis.webui.answers import Answers, Question
from mmodise.apis.webui.limits import Limits

WORLD = Question('red ball, red sphere; blue ball; striped box', 'water; grass', [], {})


@pytest.fixture
def answers(inferencer, tmp_path):
    return Answers(inferencer, Limits(), tmp_path)


@pytest.fixture
def networks(inferencer, monkeypatch):
    """The pictures that the networks have looked at."""
    seen, observe = [], inferencer.model.observe
    monkeypatch.setattr(
        inferencer.model, 'observe', lambda *args: seen.append(args) or observe(*args))
    return seen


def test_an_open_picture_is_asked_again(answers, examples, networks, inferencer):
    path = str(examples[0])
    first = answers.ask('a', path, WORLD).result
    again = answers.ask('a', path, Question('blue ball', '', [], dict(threshold=0.3))).result
    assert len(networks) == 1, 'the networks ran once'
    expected, = inferencer(path, 'red ball, red sphere; blue ball; striped box',
                           stuff='water; grass')
    assert np.array_equal(first.segment_ids, expected.segment_ids) and first.segments
    assert {segment.name for segment in again.segments} <= {'blue ball'}
    answers.ask('a', str(examples[1]), WORLD)
    assert len(networks) == 3


def test_visitors_see_their_own(answers, examples):
    results = {name: answers.ask(name, str(path), WORLD).result
               for name, path in zip('ab', examples, strict=False)}
    for name, result in results.items():
        assert answers.last(name).result is result
    assert not np.array_equal(results['a'].image, results['b'].image)
    with pytest.raises(ValueError, match=r'not open any more\. Press Find'):
        answers.last('c')


def test_who_waits_too_long_opens_it_again(answers, examples, networks):
    answers.pictures.max_count = 1
    first = answers.ask('a', str(examples[0]), WORLD)
    answers.ask('b', str(examples[1]), WORLD)
    with pytest.raises(ValueError, match='not open any more'):
        answers.last('a')
    again = answers.ask('a', str(examples[0]), WORLD)
    assert np.array_equal(first.result.segment_ids, again.result.segment_ids)
    assert len(networks) == 3


def test_pointing(answers, examples):
    answer = answers.ask('a', str(examples[0]), WORLD)
    result, factor = answer.result, answer.drawn.shape[0] // 128
    assert answer.drawn.shape == (128 * factor, 128 * factor, 3) and factor >= 2
    for segment in result.segments:
        y, x = np.argwhere(result.segment_ids == segment.id)[-1]
        for inside in (0, factor - 1):  # the corners of a pixel
            assert answer.segment_at(x * factor + inside, y * factor + inside) is segment
        lit = answer.highlight(segment)
        mask = np.kron(result.segment_ids == segment.id, np.ones((factor, factor), bool))
        assert np.array_equal(lit[mask], answer.drawn[mask])
        assert lit[~mask].max() <= 128 and np.any(answer.drawn[~mask] > 128)
    void = np.argwhere(result.segment_ids == 0)
    assert len(void) and answer.segment_at(*(void[0][::-1] * factor)) is None
    assert answer.highlight(None) is answer.drawn
    assert answer.segment(99) is None


def test_table_and_candidates(answers, examples):
    answer = answers.ask('a', str(examples[0]), WORLD)
    rows = answer.rows()
    assert [len(row) for row in rows] == [len(COLUMNS)] * len(answer.result.segments)
    areas = []
    for number, name, kind, score, share, _ in rows:
        segment = answer.segment(number)
        assert name == segment.name and kind == ('thing' if segment.is_thing else 'stuff')
        assert abs(int(score[:-1]) / 100 - segment.score) <= 0.0051
        assert abs(float(share[:-1]) / 100 - segment.area / 128**2) < 0.00051
        areas.append(segment.area)
    assert areas == sorted(areas, reverse=True)
    for segment in answer.result.segments:
        found = candidates(segment)
        assert next(iter(found)) == segment.name
        assert list(found.values()) == sorted(found.values(), reverse=True)
        assert list(found)[1:] == [name for name, score in segment.runners_up if score >= 0.005]
    assert max(len(candidates(segment)) for segment in answer.result.segments) > 1


@pytest.mark.parametrize('name', FORMATS)
def test_downloads(answers, examples, name, tmp_path):
    answers.ask('a', str(examples[0]), WORLD)
    path = answers.write('a', name)
    assert path.startswith(str(tmp_path)) and 'example-1' in path
    if path.endswith('.zip'):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None and len(archive.namelist()) == 2
    elif path.endswith('.png'):
        Image.open(path).load()
    assert answers.write('a', name) != path, 'one does not overwrite the other'


def test_nothing_found_is_told(answers, examples):
    answer = answers.ask('a', str(examples[0]), Question('red ball', '', [], dict(threshold=1.0)))
    assert answer.rows() == [] and answer.note.startswith('Nothing was found.')
    assert answer.drawn.shape == (512, 512, 3)
