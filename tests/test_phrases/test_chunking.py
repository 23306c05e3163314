import json
from pathlib import Path

import pytest

from mmodise.phrases import noun_phrases

GOLDEN = Path(__file__).parents[1] / 'data/golden_mini/caption.json'


def tagged(text):
    return [tuple(word.split('/')) for word in text.split()]


@pytest.mark.parametrize(('text', 'phrases'), [
    ('dogs/NNS on/IN green/JJ grass/NN', ['dogs', 'green grass', 'dogs on green grass']),
    ('A/DT man/NN riding/VBG a/DT red/JJ bicycle/NN', ['man', 'red bicycle']),
    ('two/CD dogs/NNS on/IN the/DT grass/NN', ['dogs', 'grass']),  # not right after the preposition
    ('The/DT Eiffel/NNP Tower/NNP', ['eiffel tower']),
    ('the/DT sky/NN is/VBZ blue/JJ', ['sky']),
    ('big/JJ ,/, brown/JJ bear/NN', ['brown bear']),
    ('box/NN of/IN ripe/JJ fruit/NN on/IN paper/NN', [
        'box', 'ripe fruit', 'paper', 'box of ripe fruit', 'ripe fruit on paper']),
    ('a/DT dog/NN and/CC a/DT Dog/NN', ['dog']),
    ('out/IN of/IN focus/NN', ['focus']),
    ('running/VBG fast/RB', []),
    ('', []),
])
def test_phrases_of_tagged_text(text, phrases):
    assert noun_phrases(tagged(text)) == phrases


def test_words_without_end_are_no_phrase():
    """As when each word of another language was taken for a noun."""
    phrases = noun_phrases([(f'w{i}', 'NN') for i in range(500)])
    assert len(phrases) == 63 and max(len(phrase.split()) for phrase in phrases) == 8


def test_phrases_of_the_golden_captions():
    """Those that the official model's losses were recorded with."""
    golden = json.loads(GOLDEN.read_text())['train']['noun_phrases']
    kinds = dict(a='DT', the='DT', **{'and': 'CC'}, red='JJ', green='JJ', beside='IN')
    assert len(golden) == 2
    for caption, phrases in golden.items():
        assert noun_phrases([(w, kinds.get(w, 'NN')) for w in caption.split()]) == phrases
