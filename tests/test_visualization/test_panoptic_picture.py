from types import SimpleNamespace

import numpy as np
import pytest

from mmodise.visualization import class_color, draw_panoptic
from mmodise.visualization.panoptic_picture import number_segments


def segment(number, name, is_thing=True):
    return SimpleNamespace(id=number, name=name, is_thing=is_thing)


def shows(picture, color):
    return (picture == color).all(-1).any()


@pytest.fixture
def scene():
    """Grass with a dog and a fly, which is too small for its name."""
    ids = np.full((300, 400), 70_000)
    ids[100:200, 100:300], ids[10:14, 10:14] = 5, 9
    segments = [segment(70_000, 'grass', False), segment(5, 'dog'), segment(9, 'fly')]
    return np.full((300, 400, 3), 90, np.uint8), ids, segments


def test_what_is_too_small_is_in_the_legend(scene):
    picture = draw_panoptic(*scene)
    assert picture.shape[0] > 300
    assert shows(picture[300:], class_color('fly'))
    assert not shows(picture[300:], class_color('dog'))
    np.testing.assert_array_equal(picture[:300], draw_panoptic(*scene, legend=False))


def test_a_class_with_a_label_somewhere_needs_no_legend(scene):
    image, ids, segments = scene
    picture = draw_panoptic(image, ids, [*segments[:2], segment(9, 'dog')])
    assert picture.shape == (300, 400, 3)


def test_a_name_has_one_colour_whatever_is_beside_it(scene):
    image, ids, segments = scene
    both = draw_panoptic(image, ids, segments, opacity=1, labels=False)
    alone = draw_panoptic(image, ids, [segment(5, 'dog')], opacity=1, labels=False)
    assert both[150, 200].tolist() == alone[150, 200].tolist() == list(class_color('dog'))
    assert alone[0, 200].tolist() == [36, 36, 36], 'ids without a segment are void'


@pytest.mark.parametrize('shape', [(1, 1), (1, 500), (200, 160), (6000, 40)])
def test_any_size_can_be_drawn(shape):
    ids = np.ones(shape, np.int32)
    ids[shape[0] // 2:] = 2
    picture = draw_panoptic(
        np.zeros((*shape, 3), np.uint8), ids, [segment(1, 'zebra crossing'), segment(2, '🦄')])
    assert picture.shape[1] == shape[1] and picture.shape[0] >= shape[0]


def test_nothing_found_is_all_void(scene):
    assert (draw_panoptic(scene[0], scene[1], []) == 36).all()


def test_segments_are_numbered_in_their_order():
    numbers = number_segments(np.array([[0, 9, 1001], [5, 9, 0]]), [9, 5])
    assert numbers.tolist() == [[0, 1, 0], [2, 1, 0]] and numbers.dtype == np.uint16
