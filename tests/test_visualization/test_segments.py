import numpy as np

from mmodise.visualization import enlarge, paint_segments
from mmodise.visualization.segments import segment_colors

GRAY = np.full((300, 300, 3), 100, np.uint8)


def test_a_segment_gets_its_colour_and_void_is_dark_grey():
    segment_map = np.full((300, 300), 2)  # of two classes: void
    segment_map[:100] = 0
    image = np.full((300, 300, 3), (100, 150, 200), np.uint8)
    painted = paint_segments(image, segment_map, ['sky', 'grass'], opacity=0.25)
    color, = segment_colors([0])
    expected = [0.75 * i + 0.25 * c for i, c in zip((100, 150, 200), color, strict=True)]
    np.testing.assert_allclose(painted[2, 2], expected, atol=0.51)
    np.testing.assert_array_equal(painted[299, 0], [60, 60, 60])  # 0.4 of the mean


def test_a_white_line_parts_neighbours():
    segment_map = np.zeros((300, 300), int)
    segment_map[100:] = 1
    painted = paint_segments(GRAY, segment_map, ['sky', 'grass'])
    assert (painted[99:101, :10] == 255).all()
    assert not (painted[97, :10] == 255).all() and not (painted[102, :10] == 255).all()


def test_nothing_found_is_all_void():
    void = np.full((300, 300), 3)
    assert (paint_segments(GRAY, void, ['a', 'b', 'c']) == 40).all()


def test_the_name_of_the_class_is_written_whatever_the_instance():
    one, two = np.full((300, 300), 1001), np.full((300, 300), 1000)
    first, second = (paint_segments(GRAY, ids, ['a', 'a']) for ids in (one, two))
    # the same name in two colours: where one has white text, the other has
    np.testing.assert_array_equal((first == 255).all(-1), (second == 255).all(-1))
    other = paint_segments(GRAY, one, ['a', 'b'])
    assert ((first == 255).all(-1) != (other == 255).all(-1)).any()


def test_specks_are_painted_but_not_labelled():
    segment_map = np.full((300, 300), 2)
    segment_map[150:156, 150:156] = 0  # 36 of 90,000 pixels, less than 0.05 %
    painted = paint_segments(GRAY, segment_map, ['sky', 'grass'])
    assert (painted != 40).any(-1).sum() == 64  # the speck and a border of one more pixel


def test_segments_have_colours_of_their_own():
    ids = [label + 1000 * instance for label in range(10) for instance in range(30)]
    assert len(set(segment_colors(ids))) == 300


def test_the_colour_of_a_class_does_not_depend_on_the_others():
    assert segment_colors([3, 1005])[1] == segment_colors([1005])[0]


def test_enlarge_takes_the_smallest_whole_factor():
    image, segment_map = np.zeros((100, 130, 3), np.uint8), np.zeros((100, 130), int)
    large, large_map = enlarge(image, segment_map, min_side=301)
    assert large.shape == (400, 520, 3) and large_map.shape == (400, 520)
    same, same_map = enlarge(image, segment_map, min_side=100)
    assert same is image and same_map is segment_map
    strip, _ = enlarge(image[:1], segment_map[:1], min_side=301, max_side=400)
    assert strip.shape == (3, 390, 3), 'three times, as four would be longer than 400'
    long, long_map = enlarge(image, segment_map, min_side=301, max_side=120)
    assert long is image and long_map is segment_map


def test_enlarge_makes_no_new_ids_and_keeps_areas():
    segment_map = np.full((40, 40), 5)
    segment_map[10:30, 5:25] = 3007
    _, large = enlarge(np.zeros((40, 40, 3), np.uint8), segment_map, min_side=160)
    assert set(np.unique(large)) == {5, 3007}
    assert abs((large == 3007).sum() - 16 * 400) < 100  # corners are rounded a little
