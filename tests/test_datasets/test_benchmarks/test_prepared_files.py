"""What all preparations share: files as people have them, nothing overwritten, nothing silent."""

import os

import numpy as np
import pytest
from PIL import Image

from mmodise.datasets.converters.preparation import look_at_pictures
from mmodise.datasets.converters.prepared_files import (
    check_labels,
    list_files,
    place,
    read_lines,
    refuse_double_ids,
    write_map,
)
from mmodise.datasets.panoptic import Findings
from mmodise.datasets.panoptic.segment_map import read_colours, read_numbers
from mmodise.datasets.panoptic.segments import measure_values
from mmodise.utils.masks import count_values

from .conftest import write_image


def turn(path, orientation, size=(8, 6)):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new('RGB', size).save(path, exif=exif)
    return path


def test_hidden_files_are_none_of_the_data_set(tmp_path):
    for name in ('b.png', 'a.png', '._a.png', '.DS_Store', 'a.png.part', 'sub/c.png', 'd.PNG'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'')
    assert [path.name for path in list_files(tmp_path)] == ['a.png', 'b.png']
    assert [path.name for path in list_files(tmp_path, recursive=True)] == [
        'a.png', 'b.png', 'c.png']
    assert list_files(tmp_path / 'elsewhere') == []


@pytest.mark.parametrize('ending', ['jpg', 'png', 'webp'])
def test_pictures_that_were_cut_short_are_named(tmp_path, ending):
    rng = np.random.default_rng(0)
    path = tmp_path / f'a.{ending}'
    write_image(path, rng.integers(0, 255, (40, 50, 3), np.uint8))
    content = path.read_bytes()
    assert look_at_pictures([path], Findings('x')) == {path: (40, 50)}
    if ending == 'jpg':
        path.write_bytes(content + b'written behind the end by a camera' * 9)
        assert look_at_pictures([path], Findings('x')) == {path: (40, 50)}
    for share in (0.5, 0.98):
        path.write_bytes(content[:int(len(content) * share)])
        with pytest.raises(ValueError, match=rf'a\.{ending} cannot be read; .* cut short'):
            look_at_pictures([path], Findings('x'))


def test_pictures_have_the_size_that_is_shown_and_doubt_is_told(tmp_path):
    turned, upside_down = turn(tmp_path / 'a.jpg', 6), turn(tmp_path / 'b.jpg', 3)
    findings = Findings('x')
    assert look_at_pictures([turned, upside_down], findings) == {
        turned: (8, 6), upside_down: (6, 8)}
    (finding, ) = findings
    assert finding.count == 1 and 'b.jpg, EXIF orientation 3' in finding.examples[0]
    with pytest.raises(FileNotFoundError, match=r'1 of 3 pictures are missing.*c\.jpg'):
        look_at_pictures([turned, upside_down, tmp_path / 'c.jpg'], findings)


@pytest.mark.parametrize(('ending', 'dtype'), [('.png', np.uint8), ('.tif', np.uint16)])
def test_another_map_is_not_overwritten(tmp_path, ending, dtype):
    path, labels = tmp_path / f'a{ending}', np.arange(3000, dtype=dtype).reshape(50, 60)
    assert write_map(labels, path) and not write_map(labels, path)
    content = path.read_bytes()
    with pytest.raises(ValueError, match=r'is there, and holds something else.*--out DIR'):
        write_map(labels + 1, path)
    assert path.read_bytes() == content
    path.write_bytes(content[:len(content) // 2])
    assert write_map(labels, path) and path.read_bytes() == content, 'it was cut short'


def test_another_file_of_the_same_length_is_not_overwritten(tmp_path, monkeypatch):
    source, target = tmp_path / 'a.jpg', tmp_path / 'sub/a.jpg'
    source.write_bytes(b'one')
    assert not place(source, source)
    assert place(source, target) and not place(source, target)
    assert target.samefile(source)
    target.unlink()
    target.write_bytes(b'two')
    with pytest.raises(ValueError, match=r'sub/a\.jpg is there, and is another file than'):
        place(source, target)
    assert target.read_bytes() == b'two'
    target.unlink()
    target.with_name('a.jpg.part').write_bytes(b'of a run that was killed')

    def refuse(*_):
        raise OSError('the disk has no links')
    monkeypatch.setattr(os, 'link', refuse)
    assert place(source, target) and not place(source, target)
    assert target.read_bytes() == b'one' and not target.samefile(source)


def test_numbers_are_read_from_all_kinds_of_maps(tmp_path):
    values = np.array([[0, 3, 200]], np.uint8)
    palette = Image.fromarray(values)
    palette.putpalette([(i * 37 + k * 91) % 256 for i in range(256) for k in range(3)])
    palette.save(tmp_path / 'palette.png')
    for name, pixels in dict(grey=values, large=values.astype(np.uint16) * 300,
                             three=np.stack([values] * 3, -1)).items():
        write_image(tmp_path / f'{name}.png', pixels)
    for name, factor in dict(palette=1, grey=1, three=1, large=300).items():
        found = read_numbers(str(tmp_path / f'{name}.png'))
        assert found.tolist() == (values.astype(int) * factor).tolist()
    write_image(tmp_path / 'colours.png', np.array([[[1, 2, 3], [1, 1, 1]]], np.uint8))
    with pytest.raises(ValueError, match=r'colours\.png \(PNG, RGB\): expected one number a pix'):
        read_numbers(str(tmp_path / 'colours.png'))
    assert read_numbers(str(tmp_path / 'colours.png'), as_colours=True).tolist() == [
        [1 + 2 * 256 + 3 * 65536, 1 + 256 + 65536]]


def test_colours_are_read_from_all_kinds_of_maps(tmp_path):
    """A program that makes PNGs smaller stores few colours as a palette, and black as grey."""
    pixels = np.array([[[7, 1, 0], [0, 0, 0]]], np.uint8)
    image = Image.fromarray(pixels)
    for name, other in dict(rgb=image, rgba=image.convert('RGBA'),
                            palette=image.quantize(4)).items():
        other.save(tmp_path / f'{name}.png')
        assert read_colours(str(tmp_path / f'{name}.png')).tolist() == pixels.tolist()
    write_image(tmp_path / 'black.png', np.zeros((1, 2), np.uint8))
    assert read_colours(str(tmp_path / 'black.png')).tolist() == [[[0] * 3] * 2]
    write_image(tmp_path / 'grey.png', np.ones((1, 2), np.uint8))
    image.save(tmp_path / 'lossy.png', 'JPEG')
    for name, message in dict(grey='expected a map whose red', lossy='cannot be a JPEG').items():
        with pytest.raises(ValueError, match=rf'{name}\.png .*{message}'):
            read_colours(str(tmp_path / f'{name}.png'))


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int64])
def test_values_are_counted_and_measured(tmp_path, dtype):
    numbers = np.array([[9, 9, 0], [0, 9, 200]], dtype)
    assert count_values(numbers) == {0: 2, 9: 3, 200: 1}
    assert measure_values(numbers) == {
        0: (2, [0, 0, 3, 2]), 9: (3, [0, 0, 2, 2]), 200: (1, [2, 1, 1, 1])}
    check_labels(numbers, {0, 9, 200}, tmp_path, '')
    with pytest.raises(ValueError, match='3 pixels have the value 9; expected 0 and 1'):
        check_labels(numbers, {0, 1}, tmp_path, '0 and 1')


def test_texts_of_windows_and_ids_that_are_there_twice(tmp_path):
    (tmp_path / 'a.txt').write_bytes(b'\xef\xbb\xbfone\r\n two \r\n\r\n')
    assert read_lines(tmp_path / 'a.txt') == ['one', 'two']
    refuse_double_ids(tmp_path, 'images', [dict(id=1), dict(id=2)])
    with pytest.raises(ValueError, match="2 entries of 'images' have the id 1"):
        refuse_double_ids(tmp_path, 'images', [dict(id=1), dict(id=1)])
