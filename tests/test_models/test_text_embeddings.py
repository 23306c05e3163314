"""Embeddings of texts are made once, grow without copies, and the oldest are forgotten first."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from mmodise.models.clip.text_embeddings import TextEmbeddings


@pytest.fixture
def embedded():
    """Texts that were embedded, in order."""
    return []


@pytest.fixture
def embed(embedded):
    """Give a function whose embeddings are the numbers that the texts are."""

    def embed(texts):
        embedded.extend(texts)
        return torch.tensor([[float(text), 1.0] for text in texts])

    return embed


def numbers(found):
    return found[:, 0].int().tolist()


def test_each_text_is_embedded_once(embed, embedded):
    texts = TextEmbeddings(10)
    assert numbers(texts.look_up(['3', '1', '3'], embed)) == [3, 1, 3]
    assert numbers(texts.look_up(['1', '2'], embed)) == [1, 2]
    assert embedded == ['3', '1', '2']


def test_what_was_not_asked_for_longest_is_forgotten(embed, embedded):
    texts = TextEmbeddings(4)
    texts.look_up(['1', '2', '3', '4'], embed)
    texts.look_up(['1'], embed)
    assert numbers(texts.look_up(['5', '6'], embed)) == [5, 6]
    assert [text for text in '123456' if text in texts] == ['1', '4', '5', '6']
    assert numbers(texts.look_up(['6', '4', '1', '5'], embed)) == [6, 4, 1, 5]
    assert embedded == list('123456')


def test_a_call_of_more_texts_than_are_kept(embed):
    texts = TextEmbeddings(3)
    texts.look_up(['7', '8'], embed)
    assert numbers(texts.look_up(list('123458'), embed)) == [1, 2, 3, 4, 5, 8]
    assert '7' not in texts and len(texts) == 6
    assert numbers(texts.look_up(['9'], embed)) == [9]
    assert len(texts) == 3, 'as many as are kept, again'


def test_one_text_at_a_time_copies_the_table_seldom(embed):
    texts, tables = TextEmbeddings(5000), set()
    for number in range(3000):
        texts.look_up([str(number)], embed)
        tables.add(len(texts._table))
    assert sorted(tables) == [256, 512, 1024, 2048, 4096]
    assert numbers(texts.look_up(['0', '2999', '1500'], embed)) == [0, 2999, 1500]


def test_what_fails_leaves_nothing(embed):
    texts = TextEmbeddings(4)

    def fail(_):
        raise MemoryError

    with pytest.raises(MemoryError):
        texts.look_up(['1'], fail)
    assert '1' not in texts and numbers(texts.look_up(['1'], embed)) == [1]


def test_threads_get_their_own(embed):
    texts = TextEmbeddings(20)  # fewer than are asked for: they are forgotten all the time

    def ask(start):
        wanted = [start, start + 1, start + 2]
        return numbers(texts.look_up([str(n) for n in wanted], embed)) == wanted

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, list(range(60)) * 5))


def test_a_copy_is_empty(embed):
    texts = TextEmbeddings(4)
    texts.look_up(['1'], embed)
    copied = copy.deepcopy(texts)
    assert len(copied) == 0 and copied.max_texts == 4 and len(texts) == 1
