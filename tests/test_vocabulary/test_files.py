import logging

import pytest

from mmodise.vocabulary import Vocabulary

PETS = (('cat', 'kitten'), ('caf\u00e9',))
TEXT = 'cat, kitten\r\ncaf\u00e9\r\n'


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-32'])
@pytest.mark.parametrize(
    'text', [TEXT, '["cat, kitten", "caf\u00e9"]', '- cat, kitten\n- caf\u00e9'])
def test_files_with_a_byte_order_mark_and_utf8_are_read(encoding, text, tmp_path):
    file = tmp_path / 'classes'
    file.write_bytes(text.encode(encoding))
    assert Vocabulary.from_file(file).classes == PETS


@pytest.mark.parametrize('content, message', [
    (TEXT.encode('latin-1'), 'is not UTF-8 text'),
    (TEXT.encode('utf-16-le'), 'is not UTF-8 text'),
    ('cat\r\ndog\r\n'.encode('utf-16-le'), 'UTF-16 without a mark'),
    (b'\x89PNG\r\n\x1a\n\0\0\0', 'is not UTF-8 text'),
    (b'PK\x03\x04\0\0', 'binary or UTF-16'),
    (b'version https://git-lfs.github.com/spec/v1\noid sha256:00\n', 'pointer of Git LFS'),
    (b'<!DOCTYPE html>\n<html></html>\n', "holds '<'"),
    (b'', 'holds no class'),
    (b'\xef\xbb\xbf', 'holds no class'),
    (b'# things\n# stuff\n', 'holds no class'),
    (b'[]', 'holds no class'),
])
def test_what_is_no_vocabulary_is_refused_by_its_content(content, message, tmp_path):
    file = tmp_path / 'classes.txt'
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf'classes\.txt.*{message}'):
        Vocabulary.from_file(file)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='is a folder'):
        Vocabulary.from_file(tmp_path)


def test_one_file_holds_things_and_stuff_and_another_more_stuff(tmp_path):
    home, more, things = (tmp_path / name for name in ('home', 'more', 'things'))
    home.write_text('cat\n# stuff\nsky\n')
    more.write_text('sea, ocean\n')
    things.write_text('# things\ndog\n')
    both = Vocabulary.from_file(home, more)
    assert both == Vocabulary((('cat',),), (('sky',), ('sea', 'ocean')))
    with pytest.raises(ValueError, match=r"home and .*things: 'dog' was given as stuff"):
        Vocabulary.from_file(home, things)


def test_read_finds_out_what_a_person_gave(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'classes.txt').write_text('cat\n# stuff\nsky\n')
    (tmp_path / 'cat').write_text('dog\n')
    mine = Vocabulary((('cat',),), (('sky',),))
    for source in ('classes.txt', '@classes.txt', str(tmp_path / 'classes.txt'),
                   tmp_path / 'classes.txt', mine, dict(things=['cat'], stuff=['sky'])):
        assert Vocabulary.read(source) == mine
    assert Vocabulary.read('cat').things == (('cat',),), 'a file of that name is not meant'
    assert Vocabulary.read('@cat').things == (('dog',),)
    assert Vocabulary.read('dog', 'sea; sand') == Vocabulary.from_string('dog', 'sea; sand')
    assert Vocabulary.read(mine, ['sea']).stuff == (('sky',), ('sea',))
    assert Vocabulary.read('', 'sky') == Vocabulary((), (('sky',),))
    assert Vocabulary.read('VOC').num_things == 20
    assert Vocabulary.read('salt + pepper').class_names == ('salt + pepper',)
    with pytest.raises(FileNotFoundError, match=r'missing\.yaml does not exist'):
        Vocabulary.read('missing.yaml')
    with pytest.raises(ValueError, match=r"no vocabulary named 'lvsi'.*mean 'lvis'"):
        Vocabulary.read('coco+lvsi')
    with pytest.raises(ValueError, match="'person' was given as stuff"):
        Vocabulary.read('dog', 'cityscapes')


def test_one_class_with_commas_is_told(caplog, tmp_path):
    with caplog.at_level(logging.WARNING):
        Vocabulary.from_string('cat, kitten; dog')
        Vocabulary.from_string('cat', 'sky, clouds')
        Vocabulary.from_lists(['person, man'])
        Vocabulary.from_metainfo(dict(classes=('person, man',)))
        assert not caplog.records
        Vocabulary.from_string('cat, dog, bird')
        Vocabulary.from_string('a, b', 'c, d')
        (tmp_path / 'classes').write_text('sea, sand, sun\n')
        Vocabulary.from_file(tmp_path / 'classes')
    assert 'is one class with the names cat, dog, bird. Sem' in caplog.text
    assert 'the names sea, sand, sun.' in caplog.text
    assert 'one class with the names a, b and one class with the names c, d' in caplog.text


def test_equal_texts_of_samples_are_parsed_once():
    texts = (('cat', 'kitten'), 'dog'), ('sky',)
    equal = (('cat', 'kitten'), 'dog'), ('sky',)
    assert Vocabulary.from_texts(*texts) is Vocabulary.from_texts(*equal)
    assert Vocabulary.from_texts([*texts[0]], [*texts[1]]) == Vocabulary.from_texts(*texts)
    mine = Vocabulary.from_texts(*texts)
    assert Vocabulary.from_texts(mine) is mine
    assert Vocabulary.from_texts(mine, 'sea').class_names == ('cat', 'dog', 'sky', 'sea')


def test_metainfo_and_back():
    odd = ('Paris, Texas', '24" tv', 'red; or blue')
    mine = Vocabulary((('cat', 'kitten'), odd), (('sky',),))
    metainfo = mine.to_metainfo()
    assert metainfo == dict(thing_classes=('cat, kitten', odd), stuff_classes=('sky',))
    assert Vocabulary.from_metainfo(metainfo) == mine


def test_names_that_something_cannot_tell_apart():
    mine = Vocabulary.from_string('Crane, hoist; crane, bird; tv, TV')
    keys = [name.lower() for name in mine.names]
    assert mine.equal_names(keys) == [('Crane', 'crane')]
    assert mine.equal_names(mine.names) == []
