"""Maps and pictures in other modes and depths: decoded as meant, or refused by name."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mmodise.datasets.panoptic import segment_map


def number_from_one(small_set):
    """As labelling tools do: segments of an image are 1, 2, 3, …"""
    for image_id, annotation in zip(
            small_set.ids, small_set.content['annotations'], strict=True):
        ids, numbered = small_set.ids[image_id], np.zeros_like(small_set.ids[image_id])
        for number, segment in enumerate(annotation['segments_info'], start=1):
            numbered[ids == segment['id']] = number
            segment['id'] = number
        small_set.ids[image_id] = numbered


def grey(ids, path):
    Image.fromarray(ids.astype(np.uint8)).save(path)


def grey_alpha(ids, path):
    grey = Image.fromarray(ids.astype(np.uint8))
    Image.merge('LA', (grey, Image.new('L', grey.size, 255))).save(path)


def grey16(ids, path):
    Image.fromarray(ids.astype(np.uint16)).save(path)


def grey32_tiff(ids, path):
    Image.fromarray(ids.astype(np.int32)).save(path, format='TIFF')


def float_tiff(ids, path):
    Image.fromarray(ids.astype(np.float32)).save(path, format='TIFF')


def palette(ids, path):
    image = Image.fromarray(ids.astype(np.uint8))
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tolist())
    assert image.mode == 'P'
    image.save(path)


def palette_of_two_bits(ids, path):
    image = Image.fromarray((ids % 4).astype(np.uint8))
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(path, bits=2)


def gif(ids, path):
    palette(ids, path.with_suffix('.gif'))
    path.with_suffix('.gif').rename(path)


SMALL = {write.__name__: write for write in (
    grey, grey_alpha, grey16, grey32_tiff, float_tiff, palette, gif)}


@pytest.mark.parametrize('write', SMALL)
def test_one_channel_means_numbers_where_these_are_listed(small_set, small, write):
    number_from_one(small_set)
    small_set.save(SMALL[write])
    assert small_set.trained() == small_set.right
    assert {kind: small_set.evaluate(kind) for kind in small.METRIC_TYPES} == small.PERFECT


def rgb(ids):
    return np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)


def rgba(ids, path):
    Image.fromarray(np.dstack([rgb(ids), np.full(ids.shape, 255, np.uint8)])).save(path)


def transparent(ids, path):
    Image.fromarray(np.dstack([rgb(ids), np.where(ids, 128, 0).astype(np.uint8)])).save(path)


def rgb16(ids, path):
    """As image editors save colours of 8 bits in 16: times 257."""
    found, content = cv2.imencode('.png', rgb(ids)[..., ::-1].astype(np.uint16) * 257)
    assert found
    path.write_bytes(content.tobytes())


def palette_of_colours(ids, path):
    """As tools that make PNGs smaller do with an image of few colours."""
    image = Image.fromarray(rgb(ids)).convert('P', palette=Image.Palette.ADAPTIVE, colors=8)
    assert (np.asarray(image.convert('RGB')) == rgb(ids)).all() and image.mode == 'P'
    image.save(path)


def bmp(ids, path):
    Image.fromarray(rgb(ids)).save(path, format='BMP')


def webp(ids, path):
    Image.fromarray(rgb(ids)).save(path, format='WEBP', lossless=True)


def tiff(ids, path):
    Image.fromarray(rgb(ids)).save(path, format='TIFF')


def interlaced_sizes(ids, path):
    Image.fromarray(rgb(ids)).save(path, optimize=True, compress_level=9)


COLOURS = {write.__name__: write for write in (
    rgba, transparent, rgb16, palette_of_colours, bmp, webp, tiff, interlaced_sizes)}


@pytest.mark.parametrize('write', COLOURS)
def test_colours_in_other_clothes(small_set, small, write):
    small_set.save(COLOURS[write])
    assert small_set.trained() == small_set.right
    assert {kind: small_set.evaluate(kind) for kind in small.METRIC_TYPES} == small.PERFECT


def test_grey_colours_are_ids_too(small_set):
    """A map whose ids happen to be grey, made smaller: red, green and blue are the grey value."""
    for number, segment in enumerate(small_set.annotation(2)['segments_info'], start=1):
        small_set.ids[2][small_set.ids[2] == segment['id']] = number * 65793
        segment['id'] = number * 65793

    def write(ids, path):
        image = Image.fromarray(rgb(ids))
        (image.convert('L') if ids[0, 0] % 65793 == 0 and ids.any() and path.name == '2.png'
         else image).save(path)

    small_set.save(write)
    assert small_set.trained() == small_set.right


def jpeg(ids, path):
    Image.fromarray(rgb(ids)).save(path, format='JPEG', quality=100, subsampling=0)


def text(ids, path):
    path.write_text('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n')


def empty(ids, path):
    path.write_bytes(b'')


def cut(ids, path):
    Image.fromarray(rgb(ids)).save(path)
    path.write_bytes(path.read_bytes()[:-30])


def fractions(ids, path):
    Image.fromarray((ids + 0.5).astype(np.float32)).save(path, format='TIFF')


def black_and_white(ids, path):
    Image.fromarray(ids > 0).save(path)


def shifted(ids, path):
    """Red and blue exchanged, as OpenCV has them."""
    Image.fromarray(rgb(ids)[..., ::-1].copy()).save(path)


def numbers_of_other_files(ids, path):
    grey(ids % 50 + 1, path)


def cmyk(ids, path):
    Image.fromarray(rgb(ids)).convert('CMYK').save(path, format='TIFF')


@pytest.mark.parametrize(('write', 'message'), [
    (jpeg, r'1\.png \(JPEG, RGB\): a map cannot be a JPEG'),
    (text, r'1\.png cannot be read; it is no image, or was cut short'),
    (empty, r'1\.png cannot be read; it is no image, or was cut short'),
    (cut, r'1\.png cannot be read; it is no image, or was cut short'),
    (fractions, r'1\.png \(TIFF, floating point\): a map holds whole numbers'),
    (black_and_white, r'1\.png \(PNG, 1 bit\) holds none of the 4 segments'),
    (shifted, r'1\.png \(PNG, RGB\) holds none of the 4 segments'),
    (numbers_of_other_files, r'1\.png \(PNG, grey\) holds none of the 4 segments .* 120, 6100, 14'),
    (cmyk, r'1\.png \(TIFF, CMYK\): a map holds whole numbers')])
def test_what_cannot_be_a_map_is_refused_by_name(small_set, small, write, message):
    for image_id, annotation in zip(
            small_set.ids, small_set.content['annotations'], strict=True):
        for segment in annotation['segments_info']:  # no id is 1, or its own mirror image
            ids = small_set.ids[image_id]
            ids[ids == segment['id']] = segment['id'] = segment['id'] * 20 + 100
    small_set.save(write)
    with pytest.raises(ValueError, match=message):
        small_set.trained()
    for kind in small.METRIC_TYPES:
        with pytest.raises(ValueError, match=message):
            small_set.evaluate(kind)


def lossy_webp_map(ids, path):
    Image.fromarray(rgb(ids)).save(path, format='WEBP', quality=90)


def smooth(ids, path):
    image = Image.fromarray(rgb(ids)).resize((8, 12), Image.Resampling.NEAREST)
    image.resize((16, 24), Image.Resampling.BICUBIC).save(path)


def png_of_a_jpeg(ids, path):
    buffer = io.BytesIO()
    Image.fromarray(rgb(ids)).save(buffer, format='JPEG', quality=80)
    Image.open(buffer).save(path)


@pytest.mark.parametrize('write', [lossy_webp_map, smooth, png_of_a_jpeg])
def test_a_map_that_was_compressed_or_smoothed_is_refused(small_set, small, write):
    """Even if some pixels still have an id that is listed."""
    small_set.save(write)
    for number in (1, 2, 3):  # a corner as it was
        path = small_set.path('maps', f'{number}.png')
        image = Image.open(path)
        pixels = np.array(image.convert('RGB'))
        pixels[:10, :8] = rgb(small_set.ids[number])[:10, :8]
        if image.format == 'PNG':
            Image.fromarray(pixels).save(path)
    message = r'1\.png .* (ids of a few pixels each|holds none of the 4 segments)'
    with pytest.raises(ValueError, match=message):
        small_set.trained()
    for kind in small.METRIC_TYPES:
        with pytest.raises(ValueError, match=message):
            small_set.evaluate(kind)


def test_a_map_is_decoded_once_for_a_sample(small_set, monkeypatch):
    small_set.save()
    opened = []
    monkeypatch.setattr(
        segment_map, 'get', lambda path, get=segment_map.get, **kw: opened.append(path) or get(
            path, **kw))
    dataset = small_set.build()
    assert not opened, 'not when it is built'
    dataset[1]
    assert [path.rsplit('/', 1)[-1] for path in opened] == ['2.png']


def test_metrics_share_what_they_read(small_set, small, monkeypatch):
    small_set.save()
    opened = []
    monkeypatch.setattr(
        segment_map, 'get', lambda path, get=segment_map.get, **kw: opened.append(path) or get(
            path, **kw))
    metrics = [small_set.metric(kind) for kind in small.METRIC_TYPES]
    for sample in small_set.perfect():
        for metric in metrics:
            metric.process({}, [sample])
    assert len(opened) == 3
    # a map that has changed meanwhile is read again
    small.save_rgb(small_set.ids[1], small_set.path('maps', '1.png'))
    metrics[0].process({}, small_set.perfect()[:1])
    assert len(opened) == 4


# Pictures


def as_grey(pixels, path):
    Image.fromarray(pixels[..., 0]).save(path)


def as_rgba(pixels, path):
    Image.fromarray(np.dstack([pixels, pixels[..., :1]])).save(path)


def as_grey16(pixels, path):
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(path)


def as_palette(pixels, path):
    Image.fromarray(pixels[..., 0] // 8).convert('P').save(path)


def as_grey_alpha(pixels, path):
    Image.fromarray(pixels[..., :2].copy(), mode='LA').save(path)


def as_jpeg(pixels, path):
    Image.fromarray(pixels).save(path, format='JPEG', quality=95)


def as_cmyk_jpeg(pixels, path):
    Image.fromarray(pixels).convert('CMYK').save(path, format='JPEG', quality=95)


@pytest.mark.parametrize(('write', 'expected'), [
    (as_grey, lambda pixels: np.repeat(pixels[..., :1], 3, axis=-1)),
    (as_rgba, lambda pixels: pixels),
    (as_grey16, lambda pixels: np.repeat(pixels[..., :1], 3, axis=-1)),
    (as_palette, lambda pixels: np.repeat(pixels[..., :1] // 8, 3, axis=-1)),
    (as_grey_alpha, lambda pixels: np.repeat(pixels[..., :1], 3, axis=-1)),
    (as_jpeg, None), (as_cmyk_jpeg, None)])
def test_pictures_in_other_modes(small_set, small, write, expected):
    for image in small_set.content['images']:
        image['file_name'] = image['file_name'].replace('.jpg', '.png')  # whatever is inside
    small_set.save(write_picture=write)
    assert small_set.trained() == small_set.right
    if expected is not None:
        found = small_set.build()[0]['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
        assert (found == expected(small_set.pictures[1])).all()


def test_a_picture_that_is_none_is_named(small_set):
    small_set.save()
    small_set.path('images', '2.jpg').write_text('<html>404</html>')
    dataset = small_set.build()
    with pytest.raises(ValueError, match=r'2\.jpg cannot be read; it is no image'):
        dataset[1]


def test_a_truncated_jpeg_is_named(small_set):
    small_set.save(write_picture=as_jpeg)
    path = small_set.path('images', '2.jpg')
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r'2\.jpg cannot be read; it is no image, or was cut sho'):
        small_set.build()[1]


def test_pngs_of_both_decoders_are_the_same():
    """Pillow reads what OpenCV would: colours are red, green, blue."""
    ids = np.random.default_rng(0).integers(0, 256**3, (7, 9))
    buffer = io.BytesIO()
    Image.fromarray(rgb(ids)).save(buffer, format='PNG')
    bgr = cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert (bgr[..., 2] + 256 * bgr[..., 1] + 65536 * bgr[..., 0] == ids).all()
