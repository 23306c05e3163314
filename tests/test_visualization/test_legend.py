import numpy as np
import pytest

from mmodise.visualization.legend import add_legend

IMAGE = np.full((120, 200, 3), 90, np.uint8)


def shows(picture, color):
    return (picture == color).all(-1).any()


def test_a_strip_with_every_colour_lies_below_the_image():
    entries = [('cat', (255, 0, 0)), ('dog', (0, 0, 255))]
    picture = add_legend(IMAGE, entries, 12)
    np.testing.assert_array_equal(picture[:120], IMAGE)
    assert picture.shape[1] == 200 and 120 < picture.shape[0] < 150, 'one row'
    strip = picture[120:]
    assert all(shows(strip, color) for _, color in entries) and shows(strip, (255, 255, 255))


def test_without_entries_nothing_is_added():
    assert add_legend(IMAGE, [], 12) is IMAGE


def test_names_are_broken_into_rows():
    image = IMAGE.repeat(2, axis=0)
    one, many = (add_legend(image, [(f'class {i}', (i, 0, 250)) for i in range(count)], 12)
                 for count in (1, 5))
    assert len(many) - 240 > 2 * (len(one) - 240) - 12
    assert all(shows(many[240:], (i, 0, 250)) for i in range(5))


def test_the_strip_is_half_as_high_as_the_image_at_most():
    picture = add_legend(IMAGE, [(f'class {i}', (i, 0, 250)) for i in range(200)], 12)
    assert 120 + 30 < len(picture) <= 180
    assert shows(picture[120:], (0, 0, 250)) and not shows(picture[120:], (199, 0, 250))


@pytest.mark.parametrize('width', [1, 30, 60])
def test_a_narrow_image_shortens_names(width):
    picture = add_legend(IMAGE[:, :width], [('a very long name of a class', (9, 9, 250))], 11)
    assert picture.shape[1] == width and len(picture) > 120
