import logging

import open_clip
import pytest
import torch

from mmodise.models.clip import FrozenCLIP
from mmodise.models.clip.tokens import tokenize, warn_of_equal_names
from mmodise.vocabulary import Vocabulary

LONG = 'packaging made of paper and cardboard, without any film of plastic on the outside, ' * 6


@pytest.fixture(params=['small', 'open_clip'])
def tokenizer(request):
    if request.param == 'small':
        return FrozenCLIP('mmodise://shapes/clip').frozen.tokenizer
    return open_clip.SimpleTokenizer()


@pytest.fixture
def warnings(monkeypatch):
    messages = []

    def print_log(message, logger, level):
        assert (logger, level) == ('current', logging.WARNING)
        messages.append(message)

    monkeypatch.setattr('mmodise.models.clip.tokens.print_log', print_log)
    for name in ('_warn_of_cut', '_warn_of_equal', '_equal_names'):
        getattr(__import__('mmodise.models.clip.tokens', fromlist=[name]), name).cache_clear()
    return messages


def test_texts_that_fit_become_the_tokenizers_own_tokens(tokenizer, warnings):
    texts = ['', 'cat', 'a photo of a black pickup truck with a trailer.', '\U0001f431 caf\u00e9']
    assert torch.equal(tokenize(tokenizer, texts, 77), tokenizer(texts))
    assert warnings == []


def test_a_text_that_just_fits_is_not_warned_of(tokenizer, warnings):
    words = next(n for n in range(90, 0, -1) if _length(tokenizer, ' '.join(['red'] * n)) <= 77)
    assert _length(tokenizer, ' '.join(['red'] * words)) == 77
    tokenize(tokenizer, [' '.join(['red'] * words)], 77)
    assert warnings == []
    tokenize(tokenizer, [' '.join(['red'] * (words + 1))], 77)
    assert len(warnings) == 1 and warnings[0].endswith("cut off is 'red'.")


def test_a_text_that_is_cut_is_warned_of_once_with_what_remains(tokenizer, warnings):
    texts = ['cat', LONG + 'red ball', 'dog']
    tokens = tokenize(tokenizer, texts, 77)
    assert torch.equal(tokens, tokenizer(texts))
    message, = warnings
    assert 'CLIP reads 77 tokens at most' in message and "red ball' it reads 'packaging" in message
    read = message.split(' it reads ')[1].split("'; cut off is '")[0].split(' ... ')[1]
    cut = message.split("; cut off is '")[1].split(' ... ')[0]
    assert read and read + cut in LONG, 'what is read ends where what is cut begins'
    tokenize(tokenizer, texts[::-1], 77)
    assert len(warnings) == 1


def test_texts_that_differ_in_what_is_cut_are_named_together(tokenizer, warnings):
    texts = [LONG + 'red ball', LONG + 'blue ring', 'cat', 'other ' + LONG]
    tokens = tokenize(tokenizer, texts, 77)
    assert torch.equal(tokens[0], tokens[1]) and not torch.equal(tokens[0], tokens[3])
    equal, = (message for message in warnings if 'become one embedding' in message)
    assert equal.startswith('2 texts') and 'red ball' in equal and 'blue ring' in equal
    assert len(warnings) == 4


def test_names_of_two_classes_that_clip_reads_alike_are_named(tokenizer, warnings):
    vocabulary = Vocabulary.from_lists(
        ['Crane, hoist', 'crane, bird', 'tv, TV', [LONG + 'a'], [LONG + 'b']])
    groups = warn_of_equal_names(tokenizer, vocabulary, 77)
    assert groups == [('Crane', 'crane'), (LONG.strip() + ' a', LONG.strip() + ' b')]
    assert len(warnings) == 2 and "'Crane' and 'crane' are of different classes" in warnings[0]
    assert warn_of_equal_names(tokenizer, vocabulary, 77) == groups
    assert len(warnings) == 2, 'once a vocabulary'
    fine = Vocabulary.from_string('cat, kitten; dog')
    assert warn_of_equal_names(tokenizer, fine, 77, 'a photo of a {}.') == []
    assert len(warnings) == 2


def _length(tokenizer, text: str) -> int:
    tokens = tokenizer([text], 200)[0]
    return int((tokens != tokens[-1]).sum()) + (tokens[-1] != 0).item()
