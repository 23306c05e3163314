import numpy as np
import pytest

from mmodise.visualization.labels import Label, draw_labels, place_labels

RED = (255, 0, 0)


def number(height, width, *areas):
    """Segments numbered from 1; each is a mask, or left, top, right and bottom."""
    numbers = np.zeros((height, width), np.uint16)
    for place, area in enumerate(areas, start=1):
        if isinstance(area, tuple):
            left, top, right, bottom = area
            numbers[top:bottom, left:right] = place
        else:
            numbers[area] = place
    return numbers


def place(numbers, names, font_size=12):
    count = len(names)
    return place_labels(numbers, names, [RED] * count, [True] * count, font_size)


def rectangle(label):
    (x, y), (width, height) = label.corner, label.size
    return x, y, x + width, y + height


def centre(label):
    return label.corner[1] + label.size[1] // 2, label.corner[0] + label.size[0] // 2


def overlap(first, second):
    (a, b, c, d), (e, f, g, h) = rectangle(first), rectangle(second)
    return a < g and e < c and b < h and f < d


def check(numbers, labels, least=0.6):
    """Labels are in the image, centred and mostly on their segments, none over another."""
    found = [(i, label) for i, label in enumerate(labels, start=1) if label]
    for i, label in found:
        left, top, right, bottom = rectangle(label)
        assert left >= 0 and top >= 0
        assert right <= numbers.shape[1] and bottom <= numbers.shape[0]
        assert numbers[centre(label)] == i
        assert (numbers[top:bottom, left:right] == i).mean() > least
    for place_, (_, first) in enumerate(found):
        assert not any(overlap(first, second) for _, second in found[place_ + 1:])
    return len(found)


def test_a_label_lies_in_the_middle_of_a_square():
    label, = place(number(200, 300, (120, 60, 221, 161)), ['cat'])
    assert np.abs(np.subtract(centre(label), (110, 170))).max() <= 1


def test_a_label_avoids_the_hole_of_a_ring():
    rows, columns = np.mgrid[:301, :301] - 150
    distance = np.hypot(rows, columns)
    numbers = number(301, 301, (distance > 60) & (distance < 140))
    assert check(numbers, place(numbers, ['ring']), 0.99) == 1


@pytest.mark.parametrize('scale', [1, 4, 11])
def test_labels_of_crowded_segments_never_overlap(scale):
    generator = np.random.default_rng(3)
    seeds = generator.integers(0, (400, 600), (40, 2))
    rows, columns = np.mgrid[:400, :600]
    distances = [np.hypot(rows - y, columns - x) for y, x in seeds]
    cells = (np.argmin(distances, axis=0) + 1).astype(np.uint16)
    cells = cells.repeat(scale, axis=0).repeat(scale, axis=1)
    names = [('ox', 'hippopotamus', 'bald eagle')[i % 3] for i in range(40)]
    labels = place(cells, names, 12 * scale)
    assert check(cells, labels) > 25
    assert [label.text for label in labels if label] == [
        name for name, label in zip(names, labels, strict=True) if label]


def test_nested_segments_share_the_space():
    numbers = number(200, 200, np.ones((200, 200), bool), (60, 80, 140, 120))
    assert check(numbers, place(numbers, ['outer', 'inner']), 0.95) == 2


def test_where_there_is_little_room_the_font_is_smaller():
    large, small, none = (
        place(number(200, 400, (100, 50, 100 + width, 150)), ['elephant'], 20)[0]
        for width in (200, 80, 20))
    assert large.font_size == 20 and 10 <= small.font_size < 20 and none is None


def test_a_name_wider_than_the_image_has_no_label():
    assert place(number(50, 60, (0, 0, 60, 50)), ['a name that is far too long']) == [None]
    assert place(number(1, 1, (0, 0, 1, 1)), ['dot']) == [None]
    assert place(number(50, 60), ['nowhere']) == [None]


def test_quiet_labels_are_smaller():
    numbers = number(200, 400, (0, 0, 200, 200), (200, 0, 400, 200))
    loud, quiet = place_labels(numbers, ['dog', 'sky'], [RED] * 2, [True, False], 20)
    assert (loud.font_size, quiet.font_size) == (20, 17) and not quiet.is_loud


def test_no_segment_no_label():
    image = np.full((20, 20, 3), 7, np.uint8)
    np.testing.assert_array_equal(draw_labels(image, []), image)
    assert place(number(20, 20), []) == []


@pytest.mark.parametrize('is_loud', [True, False])
def test_the_plate_is_dark_the_text_white_and_the_rest_untouched(is_loud):
    image = np.full((100, 200, 3), 200, np.uint8)
    drawn = draw_labels(image, [Label('naïve café', (20, 30), (120, 30), 16, RED, is_loud)])
    outside = np.ones((100, 200), bool)
    outside[30:60, 20:140] = False
    assert (drawn[outside] == 200).all()
    plate = 200 * (255 - (175 if is_loud else 105)) / 255
    assert (abs(drawn[31:59, 30:130].astype(int) - plate) <= 1).all(-1).sum() > 1000
    assert (drawn[~outside] > (250 if is_loud else 220)).all(-1).any(), 'text'
    assert (drawn == RED).all(-1).any() == is_loud, 'rim'
