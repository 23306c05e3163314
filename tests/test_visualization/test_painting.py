import numpy as np
import pytest

from mmodise.visualization.painting import draw_outlines, paint_colors

COLORS = [(250, 50, 0), (0, 100, 200)]
NUMBERS = np.zeros((60, 90), np.uint16)
NUMBERS[:40, :45], NUMBERS[:40, 45:] = 1, 2
IMAGE = np.full((60, 90, 3), (100, 150, 200), np.uint8)


def test_things_have_their_colour_stuff_a_paler_one_and_void_is_dark_grey():
    painted = paint_colors(IMAGE, NUMBERS, COLORS, [True, False], opacity=0.5)
    assert painted[0, 0].tolist() == [175, 100, 100]
    # 0.35 of the colour, which is 0.7 (0, 100, 200) + 0.3 of its mean
    assert painted[0, 89].tolist() == [round(0.65 * i + 0.35 * (0.7 * c + 30)) for i, c in zip(
        (100, 150, 200), (0, 100, 200), strict=True)]
    assert painted[59, 0].tolist() == [60, 60, 60]


def test_large_images_are_painted_alike(monkeypatch):
    whole = paint_colors(IMAGE, NUMBERS, COLORS, [True, False], 0.5)
    monkeypatch.setattr('mmodise.visualization.painting._BAND', 90 * 7)
    np.testing.assert_array_equal(
        paint_colors(IMAGE, NUMBERS, COLORS, [True, False], 0.5), whole)


@pytest.mark.parametrize(('is_thing', 'white', 'mixed'), [
    ([True, True], True, False), ([True, False], True, False), ([False, False], False, True)])
def test_lines_around_things_are_white_between_stuff_they_are_faint(is_thing, white, mixed):
    painted = np.full((60, 90, 3), 100, np.uint8)
    draw_outlines(painted, NUMBERS, is_thing)
    border = painted[:38, 42:48].reshape(-1, 3)
    assert (border == 255).any() == white
    assert (border == 170).any() == mixed  # 0.55 x 100 + 0.45 x 255
    assert (painted[:38, :40] == 100).all(), 'nothing inside'


@pytest.mark.parametrize(('height', 'width'), [(200, 1), (520, 2), (2600, 10)])
def test_lines_are_wider_in_larger_images(height, width):
    numbers = np.ones((height, height), np.uint16)
    numbers[:, height // 2:] = 2
    painted = np.zeros((height, height, 3), np.uint8)
    draw_outlines(painted, numbers, [True, True])
    assert (painted[height // 4] == 255).all(-1).sum() == width
