import numpy as np

from mmodise.visualization import picture_grid


def test_pictures_stand_in_rows_and_columns():
    red, green, blue, gray = (
        np.full((90, 120, 3), color, np.uint8)
        for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9)))
    sheet = picture_grid([[red, green], [blue, gray]], ('one', 'two'), gap=10)
    # title: 14 + 2 x 10; two rows of 90 and two gaps; two columns of 120 and three gaps
    assert sheet.shape == (34 + 200, 270, 3)
    np.testing.assert_array_equal(sheet[34:124, 10:130], red)
    np.testing.assert_array_equal(sheet[34:124, 140:260], green)
    np.testing.assert_array_equal(sheet[134:224, 10:130], blue)
    np.testing.assert_array_equal(sheet[134:224, 140:260], gray)
    assert (sheet[:34, 40:100] < 100).any() and (sheet[:34, 170:230] < 100).any(), 'titles'
    assert (sheet[124:134] == 255).all() and (sheet[224:] == 255).all()


def test_a_note_stands_under_the_pictures():
    picture = np.zeros((90, 240, 3), np.uint8)
    sheet = picture_grid([[picture]], ('one', ), note='* novel', gap=10)
    assert sheet.shape == (34 + 90 + 32, 260, 3)
    assert (sheet[125:] < 128).any()
