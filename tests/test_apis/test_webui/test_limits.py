import struct
import zlib

import numpy as np
import pytest

from mmodise.apis.webui.limits import Limits
from mmodise.vocabulary import Vocabulary

TRAINING = Vocabulary.from_string('red ball; blue box', 'grass')


def read(things='', stuff='', named=(), **limits):
    return Limits(**limits).read_vocabulary(things, stuff, named, TRAINING)


def test_names_and_lists_are_joined():
    vocabulary = read('cat, kitten\ndog', 'sky; grass', ['training', 'voc'])
    assert vocabulary.class_names[:4] == ('cat', 'dog', 'red ball', 'blue box')
    assert vocabulary.things[0][:2] == ('cat', 'kitten')
    assert vocabulary.stuff[:2] == (('sky', ), ('grass', ))
    assert vocabulary.class_names.count('dog') == 1 and 'sheep' in vocabulary.class_names
    assert read(named=['training']) == TRAINING


@pytest.mark.parametrize('text', ['{path}', '@{path}', '@ {path}', 'file:{path}'])
def test_no_file_is_read(text, tmp_path):
    path = tmp_path / 'secret.txt'
    path.write_text('password; key')
    for texts in ((text.format(path=path), ''), ('cat', text.format(path=path))):
        try:
            names = read(*texts).names
        except ValueError as error:
            assert 'password' not in str(error)
        else:
            assert names[-1] == texts[-1] or names[-1] == texts[0]
    assert read('coco').class_names == ('coco', ), 'lists are switched on, not written'


@pytest.mark.parametrize(('things', 'stuff'), [('', ''), (' \n', '  ')])
def test_no_names(things, stuff):
    with pytest.raises(ValueError, match=r'^There is no name to look for\. Write some'):
        read(things, stuff)


def test_too_many_names():
    names = '; '.join(f'name{i}' for i in range(30))
    assert len(read(names, max_names=30)) == 30
    for things, named in ((names, []), ('', ['lvis']), ('long ' * 999, [])):
        with pytest.raises(ValueError, match=r'These are .+ names, or more; up to 29 are taken'):
            read(things, named=named, max_names=29)


def test_a_picture_within_the_limits(blank):
    image, note = Limits(work_side=40).read_picture(blank('a.png', (40, 30), (200, 100, 0)))
    assert image.shape == (30, 40, 3) and image[0, 0].tolist() == [200, 100, 0] and not note


def test_a_large_picture_becomes_smaller_and_that_is_told(blank):
    image, note = Limits(work_side=40).read_picture(blank('a.png', (200, 100), (200, 100, 0)))
    assert image.shape == (20, 40, 3) and image[9, 9].tolist() == [200, 100, 0]
    assert note == 'The picture is taken in a size of 40 x 20 pixels.'
    strip, _ = Limits(work_side=40).read_picture(blank('b.png', (500, 1)))
    assert strip.shape == (1, 40, 3)


def test_too_large(blank, tmp_path):
    with pytest.raises(ValueError, match=r'its sides may have up to 64 pixels'):
        Limits(max_side=64).read_picture(blank('a.png', (65, 8)))
    noise = np.random.default_rng(0).bytes(2_100_000)
    (tmp_path / 'b.jpg').write_bytes(noise)
    with pytest.raises(ValueError, match=r'The file has 2\.1 MB; up to 2 MB are taken'):
        Limits(max_bytes=2_000_000).read_picture(tmp_path / 'b.jpg')


def test_a_small_file_of_a_gigantic_picture_is_not_unpacked(tmp_path):
    """A PNG's header says the size, so that a hundred bytes can ask for gigabytes."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack(
            '>I', zlib.crc32(kind + data))

    path = tmp_path / 'bomb.png'
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack(
        '>IIBBBBB', 60_000, 60_000, 8, 2, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(bytes(99))))
    with pytest.raises(ValueError, match='its sides may have up to 8192 pixels'):
        Limits().read_picture(path)


def test_what_is_no_picture(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(b'no picture')
    with pytest.raises(OSError, match=r'a\.jpg: 10 bytes that OpenCV cannot read'):
        Limits().read_picture(tmp_path / 'a.jpg')
    with pytest.raises(ValueError, match=r'not kept any more\. Give it again'):
        Limits().read_picture(tmp_path / 'gone.jpg')
