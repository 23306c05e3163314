"""Captions of images for the generator."""

import numpy as np
import pytest
from mmdet.registry import TRANSFORMS


def draw(random, captions, seed=0):
    np.random.seed(seed)
    return TRANSFORMS.build(dict(type='DrawCaption', random=random))(
        dict(captions=captions))['caption']


def test_any_in_training_and_the_first_in_testing():
    captions = ['a ball', 'a red ball', 'toys']
    assert {draw(True, captions, seed) for seed in range(20)} == set(captions)
    assert draw(True, captions, 5) == draw(True, captions, 5)
    assert {draw(False, captions, seed) for seed in range(5)} == {'a ball'}


def test_an_image_without_a_caption_and_a_data_set_without_any():
    assert draw(True, []) is None and draw(False, []) is None
    with pytest.raises(KeyError, match='give the data set a caption_file'):
        TRANSFORMS.build(dict(type='DrawCaption'))({})
