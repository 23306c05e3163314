import json

import numpy as np
import pytest
from PIL import Image

from mmodise.datasets.converters import parse_class_values

from .conftest import convert, labelme, png_text, save_picture


def rectangle(label, left, top, right, bottom, **more):
    return dict(label=label, points=[[right, bottom], [left, top]], shape_type='rectangle', **more)


def test_labelme_shapes(tmp_path, capsys):
    root = tmp_path / 'd'
    save_picture(root / 'pictures/one.JPG')
    save_picture(root / 'pictures/two.png')
    patch = np.zeros((3, 4), bool)
    patch[1:] = True
    labelme(root / 'json/one.json', [
        rectangle('floor', 0, 0, 12, 4),
        rectangle('gear', 0, 0, 2, 2, group_id=7),
        rectangle('gear', 6, 0, 8, 2, group_id=7),
        rectangle('crack', 0, 5, 1, 6, group_id=7),
        dict(label='crack', shape_type='mask', points=[[8.0, 6.0], [11.0, 8.0]],
             mask=png_text(patch)),
        dict(label='gear', shape_type='line', points=[[0, 0], [5, 5]]),
        rectangle('__ignore__', 0, 0, 12, 10),
    ], '..\\pictures\\one.JPG')
    found = convert(root, '--stuff', 'floor')
    assert found.pictures['pictures/one.JPG'].segments == [
        ('floor', 40, 0), ('gear', 8, 0), ('crack', 1, 0), ('crack', 8, 0)]
    assert (found.pictures['pictures/one.JPG'].ids[7:9, 8:12] == 4).all()
    assert list(found.pictures) == ['pictures/one.JPG']  # two.png has no JSON: not annotated
    told = capsys.readouterr().out
    assert 'two.png' in told and "shapes without an area" in told


def test_a_circle_has_its_area(tmp_path):
    save_picture(tmp_path / 'd/a.png', (60, 60))
    labelme(tmp_path / 'd/a.json', [
        dict(label='hole', shape_type='circle', points=[[30, 30], [30, 50]])], 'a.png', (60, 60))
    (name, area, _), = convert(tmp_path / 'd', '--stuff', '').pictures['a.png'].segments
    assert name == 'hole' and abs(area - np.pi * 400) < 25


def test_labels_txt_names_classes_but_no_class_is_called_ignore(tmp_path):
    save_picture(tmp_path / 'd/a.png')
    labelme(tmp_path / 'd/a.json', [rectangle(' gear ', 0, 0, 2, 2)], 'old name.png')
    (tmp_path / 'd/labels.txt').write_text('__ignore__\n_background_\nbolt\ngear\n')
    assert convert(tmp_path / 'd', '--stuff', '').made.things == ('bolt', 'gear')


@pytest.mark.parametrize('shape, message', [
    (dict(label='', points=[[0, 0], [1, 1], [2, 0]]), "has no 'label'"),
    (dict(label='x', points=[[0, 0], [1, 1], [2, None]]), r'shape 0 \(polygon .x.\): its points'),
    (dict(label='x', shape_type='star', points=[[0, 0], [1, 1]]), 'type are not known'),
    (dict(label='x', shape_type='circle', points=[[0, 0]]), 'expected two points, found 1'),
    (dict(label='x', shape_type='mask', points=[[0, 0], [1, 1]], mask='%'), 'no PNG in base64'),
    (dict(label='x', shape_type='mask', points=[[0, 0], [5, 5]],
          mask=png_text(np.ones((2, 2), bool))), '2 x 2 pixels, between its points are 6 x 6'),
])
def test_bad_shapes_are_named(tmp_path, shape, message):
    save_picture(tmp_path / 'd/a.png')
    labelme(tmp_path / 'd/a.json', [shape], 'a.png')
    with pytest.raises(SystemExit, match=rf'(?s)a\.json.*{message}'):
        convert(tmp_path / 'd', '--stuff', '')


def save_map(path, values, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values)
    if mode == 'P':
        image = Image.fromarray(values, 'P')
        image.putpalette([200, 10, 10] * 256)
    image.save(path)


@pytest.mark.parametrize('mode', ['L', 'P', '16', 'RGB'])
def test_maps_of_classes(tmp_path, mode):
    root = tmp_path / 'd'
    values = np.zeros((10, 12), np.uint8)
    values[:2, :2] = values[8:, 8:] = 1
    values[5] = 255
    classes = 'floor; box'
    if mode == '16':
        values = values.astype(np.uint16)
        values[values == 1] = 700
        classes = '0: floor\n700: box'
    for split in ('train', 'val'):
        save_picture(root / f'images/{split}/x.jpg')
        save_map(root / f'masks/{split}/x_mask.png', np.stack([values] * 3, -1) if mode == 'RGB'
                 else values, mode)
    found = convert(root, '--stuff', 'floor', '--classes', classes)
    for split in ('train', 'val'):
        picture = found.pictures[f'images/{split}/x.jpg']
        assert sorted(picture.segments) == [('box', 4, 0), ('box', 8, 0), ('floor', 96, 0)]
        assert picture.void == 12 and picture.split == split


def test_values_without_a_name_and_maps_without_a_picture_are_refused(tmp_path):
    root = tmp_path / 'd'
    save_picture(root / 'images/x.jpg')
    save_map(root / 'masks/x.png', np.full((10, 12), 3, np.uint8))
    with pytest.raises(SystemExit, match=r'x\.png: 120 pixels have the value 3'):
        convert(root, '--stuff', 'floor', '--classes', 'floor; box')
    save_map(root / 'masks/y.png', np.full((10, 12), 3, np.uint8))
    with pytest.raises(SystemExit, match=r'y\.png is the map of no picture'):
        convert(root, '--stuff', '', '--classes', 'a; b', '--out-dir', str(tmp_path / 'o'))


def test_other_meanings_of_values_do_not_mix_with_what_is_there(tmp_path):
    for name in 'xy':
        save_picture(tmp_path / f'd/images/{name}.jpg')
        save_map(tmp_path / f'd/masks/{name}.png', np.zeros((10, 12), np.uint8))
    convert(tmp_path / 'd', '--stuff', '', '--classes', '0: a; 1: b')
    with pytest.raises(SystemExit, match='or with other options'):
        convert(tmp_path / 'd', '--stuff', '', '--classes', '1: a; 0: b')


@pytest.mark.parametrize('text, values', [
    ('floor; tool box', {0: 'floor', 1: 'tool box'}),
    ('7: floor\n11 wall', {7: 'floor', 11: 'wall'}),
    ('128,0,1: floor', {128 + 65536: 'floor'}),
    ('# label:color_rgb:parts:actions\nbox:0,2,0::\n', {512: 'box'}),
    ('{"0": "floor", "5": "box"}', {0: 'floor', 5: 'box'}),
    ('["floor", "box"]', {0: 'floor', 1: 'box'}),
])
def test_values_of_classes(text, values):
    assert parse_class_values(text) == values


def test_cityscapes_groups_are_crowds_and_other_classes_void(tmp_path):
    root = tmp_path / 'd'
    ids = np.full((10, 12), 7, np.uint16)
    ids[0], ids[1], ids[2], ids[3], ids[4] = 26000, 26001, 26, 29000, 4
    for split in ('train', 'val', 'test'):
        save_picture(root / f'leftImg8bit/{split}/bonn/bonn_000000_000019_leftImg8bit.png')
        save_map(root / f'gtFine/{split}/bonn/bonn_000000_000019_gtFine_instanceIds.png', ids)
    found = convert(root)
    assert found.made.counts == dict(train=1, val=1) and len(found.made.things) == 8
    picture = found.pictures['leftImg8bit/train/bonn/bonn_000000_000019_leftImg8bit.png']
    assert sorted(picture.segments) == [
        ('car', 12, 0), ('car', 12, 0), ('car', 12, 1), ('road', 60, 0)]
    assert picture.void == 24


def test_panoptic_annotations_are_used_where_they_are(tmp_path):
    root = tmp_path / 'd'
    ids = np.full((10, 12), 5, np.uint8)
    ids[0] = 0
    for split in ('train', 'val'):
        save_picture(root / f'{split}/x.jpg')
        save_map(root / f'annotations/panoptic_{split}/x.png',
                 np.stack([ids, ids * 0, ids * 0], -1))
        (root / f'annotations/panoptic_{split}.json').write_text(json.dumps(dict(
            images=[dict(id=3, file_name='x.jpg')],
            categories=[dict(id=4, name='floor', isthing=0), dict(id=9, name='box', isthing=1)],
            annotations=[dict(image_id=3, file_name='x.png', segments_info=[
                dict(id=5, category_id=4, iscrowd=0)])])))
    found = convert(root)
    assert found.pictures['train/x.jpg'].segments == [('floor', 108, 0)]
    assert found.made.things + found.made.stuff == ('box', 'floor')
    assert not list(found.out.rglob('*.png'))
