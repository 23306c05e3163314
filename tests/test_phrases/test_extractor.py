import json
import logging
import sys

import pytest

from mmodise.phrases import PhraseExtractor

TRAINING = [  # repeated until the tagger is sure of these words
    'a/DT dog/NN on/IN green/JJ grass/NN', 'two/CD dogs/NNS sit/VBP on/IN grass/NN',
    'the/DT man/NN rides/VBZ a/DT red/JJ bicycle/NN', 'dogs/NNS on/IN green/JJ grass/NN ./.']


@pytest.fixture
def nltk(monkeypatch, tmp_path):
    """NLTK without data."""
    nltk = pytest.importorskip('nltk')
    monkeypatch.setattr(nltk.data, 'path', [str(tmp_path)])
    monkeypatch.setenv('NLTK_DATA', str(tmp_path))
    return nltk


def write_data(nltk, folder):
    """Data in NLTK's own layout: a small tagger, and a splitter of sentences that knows nothing."""
    tagger = nltk.tag.PerceptronTagger(load=False)
    tagger.train([[tuple(word.split('/')) for word in text.split()] for text in TRAINING * 25])
    target = folder / 'taggers/averaged_perceptron_tagger_eng'
    target.mkdir(parents=True)
    for name, content in (('weights', tagger.model.weights), ('tagdict', tagger.tagdict),
                          ('classes', sorted(tagger.classes))):
        (target / f'averaged_perceptron_tagger_eng.{name}.json').write_text(json.dumps(content))
    target = folder / 'tokenizers/punkt_tab/english'
    target.mkdir(parents=True)
    for name in ('collocations.tab', 'sent_starters.txt', 'abbrev_types.txt', 'ortho_context.tab'):
        (target / name).touch()


def test_nltk_is_taken_where_its_data_is_there(nltk, tmp_path, log):
    write_data(nltk, tmp_path)
    for name in ('auto', 'nltk'):
        extract = PhraseExtractor(name)
        assert extract.name == 'nltk'
        assert extract('dogs on green grass.') == ['dogs', 'green grass', 'dogs on green grass']
    assert not log.records


def test_without_data_the_builtin_one_is_taken_and_told_in_one_line(nltk, log):
    extract = PhraseExtractor()
    assert extract.name == 'builtin'
    assert extract('A man riding a red bicycle') == ['man', 'red bicycle']
    record, = log.records
    assert record.levelno == logging.WARNING and '\n' not in record.getMessage()
    assert 'built-in extractor, not by NLTK' in record.getMessage()
    assert 'nltk.downloader punkt_tab averaged_perceptron_tagger_eng' in record.getMessage()


def test_nltk_that_was_asked_for_must_have_its_data(nltk):
    with pytest.raises(FileNotFoundError, match=r'python -m nltk\.downloader punkt_tab'):
        PhraseExtractor('nltk')


def test_without_nltk_it_is_told_how_to_get_it(monkeypatch, log):
    monkeypatch.setitem(sys.modules, 'nltk', None)
    with pytest.raises(ModuleNotFoundError, match='`pip install nltk`'):
        PhraseExtractor('nltk')
    assert PhraseExtractor('auto').name == 'builtin'
    assert '`pip install nltk`' in log.text


def test_the_builtin_one_asks_nobody(monkeypatch, log):
    monkeypatch.setitem(sys.modules, 'nltk', None)
    assert PhraseExtractor('builtin').name == 'builtin' and not log.records


def test_an_unknown_one_is_refused():
    with pytest.raises(ValueError, match=r"'spacy': expected one of \('auto', 'nltk', 'builtin'\)"):
        PhraseExtractor('spacy')
