import numpy as np
import pytest

from mmodise.visualization import draw_labels
from mmodise.visualization.labels import place_labels


def mask_of(height, width, *boxes):
    mask = np.zeros((height, width), bool)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = True
    return mask


def test_a_label_lies_in_the_middle_of_a_square():
    mask = mask_of(100, 200, (120, 40, 161, 81))  # centre (140, 60)
    (x, y), = place_labels([mask], [(20, 10)])
    assert (x + 10, y + 5) == (140, 60)


def test_a_label_avoids_the_hole_of_a_ring():
    rows, columns = np.mgrid[:101, :101] - 50
    distance = np.hypot(rows, columns)
    ring = (distance > 20) & (distance < 50)
    (x, y), = place_labels([ring], [(16, 8)])
    assert ring[y:y + 8, x:x + 16].all()


def test_labels_of_nested_segments_do_not_overlap():
    inner = mask_of(100, 100, (40, 40, 60, 60))
    outer = ~inner
    (x, y), (inner_x, inner_y) = place_labels([outer, inner], [(30, 12)] * 2)
    assert abs(inner_x - 35) <= 1 and abs(inner_y - 44) <= 1, 'around the centre, (50, 50)'
    assert outer[y:y + 12, x:x + 30].all()
    assert abs(x - inner_x) >= 30 or abs(y - inner_y) >= 12


@pytest.mark.parametrize('box', [(0, 0, 5, 5), (95, 95, 100, 100), (0, 95, 5, 100)])
def test_a_label_stays_in_the_image(box):
    (x, y), = place_labels([mask_of(100, 100, box)], [(40, 20)])
    assert 0 <= x <= 60 and 0 <= y <= 80


def test_a_label_wider_than_the_image_starts_at_its_edge():
    (x, _), = place_labels([mask_of(50, 60, (40, 10, 60, 40))], [(100, 10)])
    assert x == 0


def test_no_segment_no_label():
    image = np.full((20, 20, 3), 7, np.uint8)
    np.testing.assert_array_equal(draw_labels(image, [], [], []), image)


def test_the_plate_is_dark_the_text_white_and_the_rest_untouched():
    image = np.full((300, 300, 3), 200, np.uint8)
    mask = mask_of(300, 300, (0, 150, 300, 300))
    drawn = draw_labels(image, [mask], ['naïve café'], [(255, 0, 0)])
    assert (drawn[:150] == 200).all()
    lower = drawn[150:]
    assert (lower == 255).all(-1).any(), 'text'
    # 170 of 255 parts of black over 200
    assert (abs(lower.astype(int) - 200 * 85 / 255) <= 1).all(-1).sum() > 100
    assert (lower == (255, 0, 0)).all(-1).any(), 'rim'
