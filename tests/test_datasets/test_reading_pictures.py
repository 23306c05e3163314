"""Pictures of all kinds, in files and in memory, against what they show."""

import cv2
import numpy as np
import pytest
from PIL import Image

from mmodise.datasets.pictures import read_picture, to_bgr
from mmodise.datasets.transforms import InferencerLoader

ROWS, COLUMNS = np.mgrid[:20, :30]
RGB = np.stack([COLUMNS * 8, ROWS * 12, 255 - COLUMNS * 4 - ROWS * 4], -1).astype(np.uint8)
GREY = np.repeat(RGB[..., :1], 3, axis=2)
BGR = RGB[..., ::-1]


@pytest.mark.parametrize('ending', ['jpg', 'png', 'webp', 'tif', 'avif'])
@pytest.mark.parametrize('orientation', [3, 6, 8])
@pytest.mark.parametrize('load', ['read', 'loader'])
def test_pictures_are_read_as_they_are_shown(tmp_path, ending, orientation, load):
    exif, path = Image.Exif(), tmp_path / f'a.{ending}'
    exif[0x112] = orientation
    try:
        Image.fromarray(RGB).save(path, exif=exif, quality=95)
    except (KeyError, ValueError, OSError):
        pytest.skip('Pillow does not write this format here')
    expected = np.rot90(BGR, {3: 2, 6: -1, 8: 1}[orientation])
    if load == 'read':
        image = read_picture(path)
    else:
        sample = InferencerLoader()(path)
        image = sample['img']
        assert sample['img_path'] == str(path) and sample['ori_shape'] == expected.shape[:2]
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 6


@pytest.mark.parametrize(('name', 'make', 'expected', 'tolerance'), [
    ('cmyk.jpg', lambda: Image.fromarray(RGB).convert('CMYK'), RGB, 6),
    ('cmyk.tif', lambda: Image.fromarray(RGB).convert('CMYK'), RGB, 0),
    ('bits16.png', lambda: Image.fromarray(GREY[..., 0].astype(np.uint16) * 257), GREY, 0),
    ('bits16.tif', lambda: Image.fromarray(GREY[..., 0].astype(np.uint16) * 257), GREY, 0),
    ('palette.png', lambda: Image.fromarray(RGB).quantize(256), RGB, 20),
    ('palette.gif', lambda: Image.fromarray(RGB).quantize(256), RGB, 20),
    ('alpha.png', lambda: Image.fromarray(np.dstack([RGB, GREY[..., 0]])), RGB, 0),
    ('grey-alpha.png', lambda: Image.merge('LA', [Image.fromarray(GREY[..., 0])] * 2), GREY, 0),
    ('bit.png', lambda: Image.fromarray(GREY[..., 0] > 99), np.where(GREY > 99, 255, 0), 0)])
def test_kinds_of_pictures(tmp_path, name, make, expected, tolerance):
    make().save(tmp_path / name)
    image = read_picture(tmp_path / name)
    assert image.dtype == np.uint8 and image.shape == RGB.shape
    assert np.abs(image[..., ::-1].astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize('ending', ['gif', 'webp', 'png', 'tif'])
def test_of_several_frames_the_first_is_read(tmp_path, ending):
    image, second = Image.fromarray(RGB), Image.fromarray(RGB[::-1])
    image.save(tmp_path / f'a.{ending}', save_all=True, append_images=[second])
    read = read_picture(tmp_path / f'a.{ending}')
    assert np.abs(read.astype(int) - BGR).mean() < 5


def test_floating_point_is_read_as_what_it_says(tmp_path):
    """OpenCV alone makes noise of colours, and refuses grey."""
    cv2.imwrite(str(tmp_path / 'colour.tif'), BGR.astype(np.float32) / 255)
    Image.fromarray(RGB[..., 0].astype(np.float32)).save(tmp_path / 'grey.tif')
    for read in (read_picture, lambda path: InferencerLoader()(path)['img']):
        colours = read(tmp_path / 'colour.tif').astype(int)
        assert np.abs(colours - BGR).max() < 8  # OpenCV keeps their logarithms
        assert np.array_equal(read(tmp_path / 'grey.tif')[..., 1], RGB[..., 0])


def test_what_cannot_be_read_is_named(tmp_path):
    Image.fromarray(np.full((2, 2), 300, np.float32)).save(tmp_path / 'float.tif')
    Image.fromarray(RGB).save(tmp_path / 'a.tga')
    Image.fromarray(RGB).save(tmp_path / 'cut.png')
    (tmp_path / 'cut.png').write_bytes((tmp_path / 'cut.png').read_bytes()[:40])
    (tmp_path / 'empty.jpg').write_bytes(b'')
    (tmp_path / 'page.jpg').write_text('<html>not found</html>')
    for name, reason in {
            'float.tif': r'The numbers of the array \(float32, 300 to 300\) are not those',
            'a.tga': r'a picture \(TGA, RGB\)',
            'cut.png': 'is none, or was cut short', 'empty.jpg': ': 0 bytes that OpenCV',
            'page.jpg': 'it is none', 'missing.png': 'there is no such file'}.items():
        for read in (read_picture, InferencerLoader()):
            with pytest.raises(OSError, match=rf'{name}: .*{reason}|{name}{reason}'):
                read(tmp_path / name)
    with pytest.raises(OSError, match='is a folder'):
        read_picture(tmp_path)


@pytest.mark.parametrize(('picture', 'expected'), [
    (BGR, BGR),
    (BGR[::-1, ::-1], BGR[::-1, ::-1]),
    (GREY[..., 0], GREY),
    (GREY[..., :1], GREY),
    (np.dstack([BGR, GREY[..., 0]]), BGR),
    (BGR.astype(np.uint16) * 257, BGR),
    (BGR.astype(np.uint16), BGR),
    (BGR.astype(np.int64), BGR),
    (BGR.astype(np.float64), BGR),
    (BGR.astype(np.float32) / 255, BGR),
    (BGR.astype(np.float16) / 255, BGR),
    (BGR / 255 * 1.008 - 0.002, np.clip(np.rint(BGR * 1.008 - 0.51), 0, 255)),
    (GREY[..., 0] > 99, np.where(GREY > 99, 255, 0)),
    (np.zeros((2, 3)), np.zeros((2, 3, 3))),
    (Image.fromarray(RGB), BGR),
    (Image.fromarray(GREY[..., 0]), GREY),
    (Image.fromarray(GREY[..., 0].astype(np.uint16) * 257), GREY),
    (Image.fromarray(np.dstack([RGB, GREY[..., 0]])), BGR)])
def test_pictures_in_memory(picture, expected):
    image = to_bgr(picture)
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize(('picture', 'message'), [
    (BGR.transpose(2, 0, 1), r'\(3, 20, 30\) is no picture: .* Move its channels to the end'),
    (BGR[None], r'\(1, 20, 30, 3\) is no picture: .* Give several as a list'),
    (BGR[..., :2], r'\(20, 30, 2\) is no picture'),
    (BGR[0, 0], r'\(3,\) is no picture'),
    (BGR[:0], r'\(0, 30, 3\) is no picture'),
    ((BGR - 120.0) / 60, r'float64, -2 to 2\.\d+.* before it was normalized'),
    (BGR / 127.5 - 1, r'float64, -1 to .* before it was normalized'),
    (BGR / 127.5, r'float64, 0 to 2\) are not those'),
    (BGR.astype(np.int32) * 257, 'int32, 0 to 65535'),
    (BGR.astype(np.int16) - 128, 'int16, -128 to'),
    (np.where(ROWS == 3, np.nan, ROWS / 255), r'float64, nan to nan'),
    (np.where(ROWS == 3, np.inf, ROWS / 255), r'float64, 0 to inf'),
    (np.full((2, 3), 'a'), 'use uint8'),
    (BGR.astype(complex), 'use uint8')])
def test_arrays_that_are_no_picture_are_refused(picture, message):
    with pytest.raises(ValueError, match=message):
        to_bgr(picture)
