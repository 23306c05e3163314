import copy
import pickle

import numpy as np
import pytest

from mmodise.vocabulary import Vocabulary

PETS = (('cat', 'kitten'), ('dog',))
SKY = (('blue sky', 'sky'),)


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary(PETS, SKY)


def test_indices_run_through_things_and_then_stuff(vocabulary):
    assert vocabulary.classes == (('cat', 'kitten'), ('dog',), ('blue sky', 'sky'))
    assert vocabulary.class_names == ('cat', 'dog', 'blue sky')
    assert vocabulary.names == ('cat', 'kitten', 'dog', 'blue sky', 'sky')
    assert vocabulary.class_indices == (0, 0, 1, 2, 2)
    assert (len(vocabulary), vocabulary.num_things, vocabulary.num_stuff) == (3, 2, 1)


def test_equal_by_value_and_usable_as_a_key(vocabulary):
    assert vocabulary.names  # a filled cache does not matter
    same = Vocabulary.from_string('cat, kitten; dog', 'blue sky, sky')
    assert same == vocabulary and hash(same) == hash(vocabulary)
    assert {vocabulary: 1}[same] == 1
    assert same != Vocabulary(PETS + SKY), 'stuff is not a thing'
    assert pickle.loads(pickle.dumps(vocabulary)) == copy.deepcopy(vocabulary) == vocabulary


def test_repr_is_short():
    many = Vocabulary.from_lists([f'class {i}' for i in range(2000)], ['sky'])
    assert repr(many) == 'Vocabulary(2000 things, 1 stuff: class 0, class 1, class 2, class 3, …)'
    assert repr(Vocabulary.from_string('cat; ' + 9 * 'dog ')) == (
        'Vocabulary(2 things, 0 stuff: cat, dog dog dog dog dog dog dog dog dog)')
    assert repr(Vocabulary.from_string(99 * 'long ')) == (
        'Vocabulary(1 things, 0 stuff: long long long long long long long lo...)')
    assert repr(Vocabulary(PETS)) == 'Vocabulary(2 things, 0 stuff: cat, dog)'


@pytest.mark.parametrize(
    'things', ['cat, kitten; dog', ' cat ,kitten;dog ; ', 'cat,\n  kitten,kitten;\ndog,']
)
def test_from_string_ignores_space_repetition_and_a_last_separator(things):
    assert Vocabulary.from_string(things).things == PETS


def test_from_string_keeps_case_and_collapses_inner_space():
    parsed = Vocabulary.from_string('black   pickup\ttruck, Pickup Truck; blue sky')
    assert parsed.things == (('black pickup truck', 'Pickup Truck'), ('blue sky',))
    assert parsed.stuff == ()


def test_from_lists_takes_strings_and_sequences():
    parsed = Vocabulary.from_lists(['cat, kitten', ('dog',)], [['blue sky', 'sky']])
    assert parsed == Vocabulary(PETS, SKY)


def test_a_sequence_of_names_may_hold_commas():
    assert Vocabulary.from_lists([['Paris, Texas']]).names == ('Paris, Texas',)


def test_from_metainfo_reads_things_and_stuff_with_synonyms():
    metainfo = dict(
        classes=('cat', 'dog', 'sky-other-merged'),
        thing_classes=['cat, kitten', 'dog'],
        stuff_classes=['blue sky, sky'],
    )
    assert Vocabulary.from_metainfo(metainfo) == Vocabulary(PETS, SKY)


def test_from_metainfo_falls_back_on_classes_as_things():
    assert Vocabulary.from_metainfo(dict(classes=('cat', 'dog'))).things == (('cat',), ('dog',))
    assert Vocabulary.from_metainfo(dict(classes=('a',), stuff_classes=('sky',))).things == ()
    with pytest.raises(ValueError, match=r"names no classes.*only \['palette'\]"):
        Vocabulary.from_metainfo(dict(palette=[(0, 0, 0)], classes=None))


@pytest.mark.parametrize(
    'text',
    [
        'cat, kitten; dog',
        'cat, kitten . dog',
        'cat, kitten . dog .',
        'cat, kitten. dog.',
        ['cat, kitten', 'dog'],
        [['cat', 'kitten'], ['dog']],
        np.array(['cat, kitten', 'dog']),
    ],
)
def test_from_texts_reads_every_form_that_samples_carry(text):
    parsed = Vocabulary.from_texts(text)
    assert parsed.things == PETS and parsed.stuff == ()
    assert Vocabulary.from_texts(None, text).stuff == PETS


def test_from_texts_leaves_periods_inside_names_alone():
    assert Vocabulary.from_texts('St. Bernard').names == ('St. Bernard',)
    assert Vocabulary.from_texts('Dr. Pepper; 7.5 t truck.').names == ('Dr. Pepper', '7.5 t truck.')
    assert Vocabulary.from_texts(['St. Bernard .']).names == ('St. Bernard .',)


@pytest.mark.parametrize('text', [None, '', '  ', [], ()])
def test_nothing_makes_no_vocabulary(text):
    with pytest.raises(ValueError, match=r'vocabulary is empty\. Give at least one class'):
        Vocabulary.from_texts(text, text)
    assert Vocabulary.from_texts(text, 'sky').class_names == ('sky',)


def test_from_file_reads_openseg_lines_and_bare_names(tmp_path):
    things, stuff = tmp_path / 'things.txt', tmp_path / 'stuff.txt'
    things.write_text('0:invalid_class_id\n7:cat,kitten\n\n# pets end here\n3: dog\n')
    stuff.write_bytes('\ufeffblue sky, sky\r\ncafé\r\n'.encode())
    parsed = Vocabulary.from_file(things, str(stuff))
    assert parsed == Vocabulary(PETS, (*SKY, ('café',)))
    assert Vocabulary.from_file(things).classes == PETS


def test_from_file_errors_name_the_file(tmp_path):
    missing, empty, binary, twice = (tmp_path / f'{name}.txt' for name in 'mebt')
    with pytest.raises(FileNotFoundError, match=r'm\.txt does not exist'):
        Vocabulary.from_file(missing)
    empty.write_text('# nothing\n0:invalid_class_id\n')
    with pytest.raises(ValueError, match=r'e\.txt holds no class'):
        Vocabulary.from_file(empty)
    binary.write_bytes(b'caf\xe9\n')
    with pytest.raises(ValueError, match=r'b\.txt is not UTF-8'):
        Vocabulary.from_file(binary)
    twice.write_text('cat\ndog\ncat\n')
    with pytest.raises(ValueError, match=r"t\.txt: Classes 0 \(a thing\) and 2 .* 'cat'"):
        Vocabulary.from_file(twice)


def test_two_classes_may_share_a_synonym_but_not_the_displayed_name():
    shared = Vocabulary.from_string('screen door, screen; crt screen, screen')
    assert shared.class_indices == (0, 0, 1, 1)
    assert shared.shared_names == dict(screen=('screen door', 'crt screen'))
    assert Vocabulary.from_string('tv, screen', 'screen').shared_names == dict(
        screen=('tv', 'screen'))
    assert Vocabulary(PETS, SKY).shared_names == {}
    with pytest.raises(ValueError, match=r"0 \(a thing\) and 2 \(a thing\) .* called 'bridge'"):
        Vocabulary.from_string('bridge; road; bridge, overpass')
    with pytest.raises(ValueError, match=r"0 \(a thing\) and 1 \(stuff\) .* called 'bridge'"):
        Vocabulary.from_string('bridge', 'bridge, overpass')


def test_bad_names_are_shown():
    with pytest.raises(ValueError, match=r"Class 1 .*\('dog', '', 'puppy'\), has the name ''"):
        Vocabulary.from_string('cat; dog,, puppy')
    with pytest.raises(ValueError, match='Class 1 of the vocabulary has no name'):
        Vocabulary.from_string('cat;; dog')
    with pytest.raises(ValueError, match=r'Class 2 .*has the name 7'):
        Vocabulary.from_lists(['cat', 'dog'], [['sky', 7]])
    with pytest.raises(ValueError, match="list of classes, but found the string 'cat'"):
        Vocabulary.from_lists('cat')


def test_seen_in_compares_every_synonym_by_character():
    training = Vocabulary.from_string('cat, kitten; Dog', 'sky')
    test = Vocabulary.from_string('tabby, kitten; dog; cat food', 'blue sky, sky')
    assert test.seen_in(training) == (True, False, False, True)
