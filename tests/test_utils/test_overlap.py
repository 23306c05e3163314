"""Order, errors and bounds of what is done in a thread."""

import threading
from itertools import count

import pytest
import torch

from mmodise.utils.overlap import Behind, ahead


def test_items_come_in_order_from_a_thread():
    made_in = set()

    def make():
        for i in range(5):
            made_in.add(threading.current_thread())
            yield i

    assert list(ahead(make(), 'cuda', 2)) == [0, 1, 2, 3, 4]
    assert len(made_in) == 1 and threading.current_thread() not in made_in
    assert list(ahead([], 'cuda')) == []


def test_an_error_is_raised_when_it_is_its_turn():
    items = ahead(map((1).__floordiv__, count(-1)), 'cuda', 3)
    assert next(items) == -1
    with pytest.raises(ZeroDivisionError):
        next(items)


def test_no_more_is_made_than_is_said():
    taken, items = [], None

    def note(i):
        taken.append(i)
        return i

    items = ahead(map(note, count()), 'cuda', 2)
    assert taken == []
    assert next(items) == 0
    items.close()  # its thread ends with what it has begun
    thread = next((t for t in threading.enumerate() if t.name.startswith('ahead')), None)
    if thread:
        thread.join()
    assert max(taken) <= 2


def test_results_are_seen_to_one_after_the_other():
    behind, seen, go_on = Behind('cuda'), [], threading.Event()

    def see(i):
        go_on.wait()
        seen.append((i, torch.is_grad_enabled()))

    behind(see, 0)
    assert seen == [], 'the caller goes on'
    go_on.set()
    behind(see, 1)
    assert seen[0] == (0, False), 'one at a time'
    behind.finish()
    assert seen == [(0, False), (1, False)]


def test_an_error_comes_with_the_next_result_once():
    behind = Behind('cuda')
    behind(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        behind(print)
    behind.finish()
    behind([].pop)
    with pytest.raises(IndexError):
        behind.finish()


def test_a_context_waits_and_its_own_error_comes_first():
    seen = []
    with Behind('cuda') as behind:
        behind(seen.append, 0)
    assert seen == [0]
    with pytest.raises(KeyError), Behind('cuda') as behind:
        behind(seen.append, 1)
        behind(lambda: 1 // 0)
        raise KeyError
    assert seen == [0, 1]


def test_on_a_cpu_all_is_done_in_its_turn():
    taken, seen = [], []
    items = ahead(map(taken.append, count()), 'cpu')
    next(items)
    assert taken == [0]
    with Behind('cpu') as behind:
        behind(lambda: seen.append((threading.current_thread(), torch.is_grad_enabled())))
        assert seen == [(threading.current_thread(), False)]
        with pytest.raises(ZeroDivisionError):
            behind(lambda: 1 // 0)
