import numpy as np

from mmodise.visualization import class_color, enlarge, paint_segments

GRAY = np.full((300, 300, 3), 100, np.uint8)


def test_things_have_an_instance_stuff_has_none_and_void_no_name():
    segment_map = np.full((300, 300), 2)  # of two classes: void
    segment_map[:100], segment_map[100:200] = 1, 1000
    painted = paint_segments(GRAY, segment_map, ['dog', 'sky'], opacity=0.5)
    mixed = [round(50 + c / 2) for c in class_color('dog')]
    assert np.abs(painted[110, 2].astype(int) - mixed).max() <= 1
    grey = np.mean(class_color('sky'))
    paler = [0.65 * 100 + 0.35 * (0.7 * c + 0.3 * grey) for c in class_color('sky')]
    np.testing.assert_allclose(painted[2, 2], paler, atol=1)
    np.testing.assert_array_equal(painted[299, 0], [40, 40, 40])  # 0.4 of the mean


def test_a_white_line_parts_instances():
    segment_map = np.full((300, 300), 1000)
    segment_map[100:] = 2000
    painted = paint_segments(GRAY, segment_map, ['dog'])
    assert (painted[98:102, 0] == 255).all(-1).any()
    assert not (painted[96, :10] == 255).any() and not (painted[103, :10] == 255).any()


def test_nothing_found_is_all_void():
    void = np.full((300, 300), 3)
    assert (paint_segments(GRAY, void, ['a', 'b', 'c']) == 40).all()


def test_the_name_of_the_class_is_written_whatever_the_instance():
    first, second, other = (
        paint_segments(GRAY, np.full((300, 300), i), names)
        for i, names in ((1001, 'aa'), (2001, 'aa'), (1001, 'ab')))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_specks_are_painted_but_not_labelled():
    segment_map = np.full((300, 300), 2)
    segment_map[150:156, 150:156] = 1000
    painted = paint_segments(GRAY, segment_map, ['dog', 'grass'])
    assert painted.shape == GRAY.shape
    assert 36 <= (painted != 40).any(-1).sum() <= 64  # the speck and a line around it


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
