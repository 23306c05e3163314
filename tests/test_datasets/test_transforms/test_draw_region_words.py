"""Words of regions, whose boxes follow the picture."""

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS

BOX = [20, 8, 36, 24]  # of a white square on black
DRAW = dict(type='DrawRegionWords', extractor='builtin')


def picture(*steps, regions=None, **results):
    """What steps and then the drawing of words make of a picture of 60 x 40 pixels."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[BOX[1]:BOX[3], BOX[0]:BOX[2]] = 255
    regions = [dict(phrase='a white square', bbox=BOX)] if regions is None else regions
    return Compose([TRANSFORMS.build(step) for step in (*steps, DRAW)])(dict(
        img=image, img_shape=(40, 60), ori_shape=(40, 60), regions=regions, **results))


STEPS = {
    'nothing': [],
    'mirrored': [dict(type='RandomFlip', prob=1.0)],
    'resized': [dict(type='Resize', scale=(120, 120), keep_ratio=True)],
    'as in the recipe': [
        dict(type='RandomFlip', prob=1.0),
        dict(type='RandomResize', scale=(120, 80), ratio_range=(1.5, 1.5),
             resize_type='PillowResize', keep_ratio=True),
        dict(type='RandomCrop', crop_size=(80, 100), recompute_bbox=True,
             allow_negative_crop=True),
        dict(type='Pad', size=(128, 128), pad_val=dict(img=(0, 0, 0)))]}


@pytest.mark.parametrize('steps', STEPS)
@pytest.mark.parametrize('seed', [0, 1])
def test_boxes_are_where_the_pixels_are(steps, seed):
    np.random.seed(seed)
    results = picture(*STEPS[steps])
    assert set(results['words']) == {'white square'} and len(results['words']) == 8
    (boxes, ), = set(results['word_boxes'])
    rows, columns = (results['img'][..., 0] > 127).nonzero()
    pixels = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert boxes == pytest.approx(pixels, abs=0.6)


@pytest.mark.parametrize('left', [0, 7, 8, 16])
def test_what_is_cropped_away_drops_out(left):
    """As many columns are left of 16; half of them are enough."""
    moved = np.array([[1, 0, left - BOX[2]], [0, 1, 0], [0, 0, 1]], np.float32)
    results = picture(homography_matrix=moved)
    kept = left >= 8
    assert results['words'] == ('white square', ) * 8 * kept
    assert results['word_boxes'] == (((0, 8, left, 24), ), ) * 8 * kept


def test_a_word_has_the_boxes_of_what_is_cut_off_too():
    regions = [dict(phrase='a cat', bbox=[0, 0, 4, 4]), dict(phrase='a cat', bbox=[50, 0, 90, 4]),
               dict(phrase='a cat', bbox=[61, 0, 90, 4])]
    assert set(picture(regions=regions)['word_boxes']) == {((0, 0, 4, 4), (50, 0, 60, 4))}


def test_regions_without_a_box_are_of_the_whole_picture():
    regions = [dict(phrase='a dog', bbox=None), dict(phrase='of the', bbox=BOX),
               dict(phrase='a cat', phrases=['kitten'], bbox=[0, 0, 4, 4]),
               dict(phrase='a dog', bbox=[0, 0, 4, 4]), dict(phrase='a kitten', bbox=[4, 4, 9, 9])]
    np.random.seed(0)
    results = picture(regions=regions)
    assert set(zip(results['words'], results['word_boxes'], strict=True)) == {
        ('dog', ()), ('kitten', ((0, 0, 4, 4), (4, 4, 9, 9)))}, 'of both kittens'
    assert picture(regions=[])['words'] == picture(regions=[])['word_boxes'] == ()


def test_captions_where_there_are_no_regions():
    results = dict(captions=['a dog'], img_shape=(2, 2))
    results = TRANSFORMS.build(DRAW)(results)
    assert (results['words'], results['word_boxes']) == (('dog', ) * 8, ((), ) * 8)
