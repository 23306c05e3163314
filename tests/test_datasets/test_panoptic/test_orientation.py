"""Picture and map have the same orientation, or the sample is refused."""

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

FORMATS = {'jpg': 'JPEG', 'png': 'PNG', 'webp': 'WEBP', 'tif': 'TIFF'}
TURNING = (5, 6, 7, 8)  # sides change places
KEEPING = (2, 3, 4)  # the size stays


def store(small_set, small, orientation, ending, over):
    """Photos whose file says how to turn them, and maps over what is shown or what is stored."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    # what a viewer shows is the picture and the map of the set
    back = {6: 8, 8: 6}.get(orientation, orientation)

    def turn(pixels):
        image = Image.fromarray(pixels)
        image.getexif()[ExifTags.Base.Orientation] = back
        return np.asarray(ImageOps.exif_transpose(image))

    def write_picture(pixels, path):
        smooth = np.asarray(Image.fromarray(pixels[::8, ::8]).resize(pixels.shape[1::-1]))
        lossless = dict(WEBP=dict(lossless=True), JPEG=dict(quality=95)).get(FORMATS[ending], {})
        Image.fromarray(turn(smooth)).save(
            path, format=FORMATS[ending], exif=exif, **lossless)

    def write_map(ids, path):
        small.save_rgb(ids if over == 'shown' else turn_ids(ids), path)

    def turn_ids(ids):
        image = Image.fromarray(ids.astype(np.int32))
        image.getexif()[ExifTags.Base.Orientation] = back
        return np.asarray(ImageOps.exif_transpose(image))

    for image in small_set.content['images']:
        image['file_name'] = f'{image["id"]}.{ending}'
    small_set.save(write_map, write_picture)


def told(log):
    return [record.getMessage() for record in log.records if record.levelname == 'WARNING']


@pytest.mark.parametrize('ending', ['jpg', 'png', 'tif'])
@pytest.mark.parametrize('orientation', TURNING)
def test_maps_over_the_picture_as_it_is_shown(small_set, small, orientation, ending):
    store(small_set, small, orientation, ending, 'shown')
    assert small_set.trained() == small_set.right
    sample = small_set.build()[0]
    assert sample['inputs'].shape[1:] == sample['data_samples'].gt_sem_seg.shape == (24, 16)
    assert {kind: small_set.evaluate(kind) for kind in small.METRIC_TYPES} == small.PERFECT


@pytest.mark.parametrize('ending', ['jpg', 'png', 'tif'])
@pytest.mark.parametrize('orientation', TURNING)
def test_maps_over_the_picture_as_it_is_stored_are_refused(
        small_set, small, orientation, ending):
    store(small_set, small, orientation, ending, 'stored')
    message = (rf'1\.{ending} has 16 x 24 pixels, its annotation map .*1\.png 24 x 16\. .* EXIF '
               rf'data \(orientation {orientation}\) say how it is to be turned')
    with pytest.raises(ValueError, match=message):
        small_set.build()[0]
    with pytest.raises(ValueError, match=message):  # where a pipeline does not read the map
        small_set.build(test_mode=True, pipeline=(
            dict(type='LoadImageFromFile'), small.PACK))[0]
    for kind in small.METRIC_TYPES:
        with pytest.raises(ValueError, match=message):
            small_set.evaluate(kind)


@pytest.mark.parametrize('ending', ['jpg', 'png', 'tif'])
@pytest.mark.parametrize('orientation', KEEPING)
@pytest.mark.parametrize('over', ['shown', 'stored'])
def test_what_nobody_can_tell_is_told(small_set, small, log, orientation, ending, over):
    store(small_set, small, orientation, ending, over)
    trained = small_set.trained()
    assert trained == small_set.right
    line, = [line for line in told(log) if 'are turned when they are shown, and maps' in line]
    assert f'1.{ending}, EXIF orientation {orientation}' in line


@pytest.mark.parametrize('orientation', TURNING)
def test_a_square_picture_that_lies_is_told(small_set, small, log, orientation):
    for image_id in small_set.ids:
        small_set.ids[image_id] = small_set.ids[image_id][:16]
        small_set.pictures[image_id] = small_set.pictures[image_id][:16]
    store(small_set, small, orientation, 'jpg', 'stored')
    small_set.build()[1]
    assert [line for line in told(log) if f'EXIF orientation {orientation}' in line]


@pytest.mark.parametrize('orientation', KEEPING)
def test_pictures_that_are_not_read_as_they_are_shown_are_refused(
        small_set, small, orientation):
    """OpenCV does not turn WebP; where the size stays nothing else would show it."""
    store(small_set, small, orientation, 'webp', 'shown')
    message = rf'1\.webp \(WEBP\): its EXIF data \(orientation {orientation}\) say'
    with pytest.raises(ValueError, match=message):
        small_set.build()[0]


@pytest.mark.parametrize('orientation', TURNING)
def test_webp_that_lies(small_set, small, orientation):
    """Read as it is stored: with a map of what is shown it is refused, else it lies with it."""
    store(small_set, small, orientation, 'webp', 'shown')
    try:
        found = small_set.trained()
    except ValueError as error:
        assert '1.webp has 24 x 16 pixels' in str(error) and 'EXIF data' in str(error)
    else:  # a later OpenCV
        assert found == small_set.right


@pytest.mark.parametrize('orientation', [2, 3, 6])
def test_a_map_that_is_to_be_turned_is_turned(small_set, small, orientation):
    """By its own EXIF data."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    back = {6: 8}.get(orientation, orientation)

    def write_map(ids, path):
        image = Image.fromarray(small.to_rgb(ids))
        image.getexif()[ExifTags.Base.Orientation] = back
        ImageOps.exif_transpose(image).save(path, exif=exif)

    small_set.save(write_map)
    assert small_set.trained() == small_set.right
    assert {kind: small_set.evaluate(kind) for kind in small.METRIC_TYPES} == small.PERFECT
    pipeline = dict(type='LoadImageFromFile'), small.PACK
    assert len(list(small_set.build(test_mode=True, pipeline=pipeline))) == 3
