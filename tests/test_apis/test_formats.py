import csv
import dataclasses
import json
from functools import partial

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from mmodise.apis import FORMATS
from mmodise.datasets.converters.class_maps import read_regions
from mmodise.datasets.converters.class_values import parse_class_values
from mmodise.datasets.converters.labelme import read_labelme
from mmodise.datasets.converters.pictures import PictureFolder
from mmodise.datasets.panoptic import Findings, read_panoptic_file, read_segments
from mmodise.datasets.panoptic.segment_map import read_numbers
from mmodise.vocabulary import Vocabulary

SHAPES = Vocabulary.from_string('ring; dot', 'sky')


@pytest.fixture
def holes(build_result):
    """A ring around void, a dot in two pieces, one of them a pixel, and sky with holes."""
    rows, columns = np.mgrid[:60, :80]
    distance = np.hypot(rows - 30, columns - 30)
    numbers = np.full((60, 80), 3)
    numbers[distance < 25] = 1
    numbers[distance < 10] = 0
    numbers[10:20, 60:75], numbers[50, 70] = 2, 2
    return build_result(numbers, ['ring', 'dot', 'sky'], SHAPES, scores=[0.9, 0.8, 0.7],
                        image=np.full((60, 80, 3), 120, np.uint8))


def test_coco_panoptic_is_read_by_our_own_reader(scene_result, tmp_path):
    written = scene_result.save(tmp_path / 'a.json', 'coco-panoptic')
    assert written == [tmp_path / 'a.png', tmp_path / 'a.json']
    file = read_panoptic_file(str(tmp_path / 'a.json'))
    annotation, findings = file.annotations[1], Findings('a')
    segments = read_segments(
        str(tmp_path / file.map_name(1)), annotation['segments_info'], findings,
        scene_result.segment_ids.shape)
    assert not list(findings)
    np.testing.assert_array_equal(segments.numbers, scene_result.segment_ids)
    names = {category['id']: category['name'] for category in file.categories}
    assert [names[info['category_id']] for info in segments.infos] == [
        segment.name for segment in scene_result.segments]
    assert [list(s.box) for s in scene_result.segments] == segments.boxes()


def test_coco_instances_are_the_things(holes, tmp_path):
    path, = holes.save(tmp_path / 'a.json', 'coco-instances')
    coco = COCO(str(path))
    annotations = coco.loadAnns(coco.getAnnIds())
    assert [a['score'] for a in annotations] == [0.9, 0.8], 'no stuff'
    for annotation, segment in zip(annotations, holes.segments[:2], strict=True):
        mask = coco.annToMask(annotation).astype(bool)
        np.testing.assert_array_equal(mask, holes.segment_ids == segment.id)
        left, top, width, height = annotation['bbox']
        assert (left, top, left + width, top + height) == segment.box
        assert annotation['area'] == mask.sum() == segment.area
        assert coco.cats[annotation['category_id']]['name'] == segment.name


def read_back(path):
    source = read_labelme([path], PictureFolder(path.parent))
    return source.images[0].read((60, 80), Findings('a'))


def test_labelme_keeps_holes_and_pieces(holes, tmp_path):
    Image.fromarray(holes.image).save(tmp_path / 'photo.png')
    holes = dataclasses.replace(holes, path=str(tmp_path / 'photo.png'))
    path, = holes.save(tmp_path / 'a.json', 'labelme')
    content = json.loads(path.read_text())
    assert content['imagePath'] == 'photo.png'
    assert [(s['label'], s['shape_type'], s['group_id']) for s in content['shapes']] == [
        ('ring', 'mask', None), ('dot', 'polygon', 2), ('dot', 'polygon', 2),
        ('sky', 'mask', None)]
    found = read_back(path)
    assert [segment.name for segment in found] == ['ring', 'dot', 'sky']
    for segment, mask in zip(found, holes.masks, strict=True):
        np.testing.assert_array_equal(segment.mask, mask)


def test_outlines_of_labelme_are_a_pixel_off_at_most(scene_result, tmp_path):
    scene_result = dataclasses.replace(scene_result, path='a.png')
    Image.fromarray(scene_result.image).save(tmp_path / 'a.png')
    path, = scene_result.save(tmp_path / 'a.json', 'labelme')
    source = read_labelme([path], PictureFolder(tmp_path))
    found = source.images[0].read(scene_result.segment_ids.shape, Findings('a'))
    for segment, mask in zip(found, scene_result.masks, strict=True):
        wrong = segment.mask ^ mask
        near = np.pad(mask, 1, mode='edge')
        edge = np.stack([near[1:-1, :-2], near[1:-1, 2:], near[:-2, 1:-1], near[2:, 1:-1]])
        assert not (wrong & (edge == mask).all(0)).any()
        assert wrong.sum() < 0.03 * mask.sum()


def test_polygons_are_seen_from_the_folder_of_the_file(holes, tmp_path, monkeypatch):
    (tmp_path / 'photos').mkdir()
    Image.fromarray(holes.image).save(tmp_path / 'photos/b.png')
    monkeypatch.chdir(tmp_path)
    path, = dataclasses.replace(holes, path='photos/b.png').save(
        tmp_path / 'out/b.json', 'labelme')
    assert json.loads(path.read_text())['imagePath'] == '../photos/b.png'


def test_a_class_map_has_a_palette_and_a_list(scene_result, tmp_path):
    png, text = scene_result.save(tmp_path / 'a.png', 'semantic')
    names = parse_class_values(text)
    assert list(names.values()) == list(scene_result.vocabulary.class_names)
    image = Image.open(png)
    assert image.mode == 'P'
    values = np.asarray(image)
    np.testing.assert_array_equal(
        values, scene_result.paint([s.label for s in scene_result.segments], 255))
    assert (values[:9, :20] == 255).all(), 'void'
    colors = np.asarray(image.convert('RGB'))
    assert len(np.unique(colors.reshape(-1, 3), axis=0)) > 3 and not colors[0, 0].any()
    stuff = scene_result.vocabulary.class_names[scene_result.vocabulary.num_things:]
    read = read_regions(values.shape, Findings('a'), str(png), names, stuff)
    assert sum(segment.mask.sum() for segment in read) == (scene_result.segment_ids > 0).sum()


@pytest.mark.parametrize(('count', 'mode'), [(255, 'P'), (256, 'I;16'), (3000, 'I;16')])
def test_many_classes_have_16_bits(build_result, tmp_path, count, mode):
    names = [f'class {i}' for i in range(count)]
    result = build_result(
        np.array([[1, 2, 0]]), ['class 7', names[-1]], Vocabulary.from_lists(names))
    png, text = result.save(tmp_path / 'a.png', 'semantic')
    assert Image.open(png).mode == mode
    void = 255 if count == 255 else 65535
    assert read_numbers(str(png)).tolist() == [[7, count - 1, void]]
    assert parse_class_values(text)[count - 1] == names[-1]
    assert f'# {void}: void' in text.read_text()


def test_json_says_all(holes, tmp_path):
    path, = holes.save(tmp_path / 'a.json', 'json')
    content = json.loads(path.read_text())
    assert Vocabulary.from_metainfo(content['vocabulary']) == SHAPES
    assert content['image'] == dict(file_name='a.jpg', height=60, width=80)
    for described, segment, mask in zip(
            content['segments'], holes.segments, holes.masks, strict=True):
        np.testing.assert_array_equal(coco_mask.decode(described['mask']), mask)
        assert described['score'] == segment.score and tuple(described['box']) == segment.box


def test_unknown_scores_are_null_in_json_and_empty_in_tables(build_result, tmp_path):
    result = build_result(np.ones((2, 2), int), ['dot'], SHAPES)
    path, = result.save(tmp_path / 'a.json', 'json')
    assert json.loads(path.read_text())['segments'][0]['score'] is None
    path, = result.save(tmp_path / 'a.csv')
    row, = csv.DictReader(path.open())
    assert row['score'] == '' and (row['name'], row['share']) == ('dot', '1.0')


def test_a_table_has_a_row_per_segment(holes, tmp_path):
    first = dataclasses.replace(holes.segments[0], runners_up=(('dot', 0.25), ('sky', 0.125)))
    holes = dataclasses.replace(holes, segments=(first, *holes.segments[1:]))
    path, = holes.save(tmp_path / 'a.csv')
    rows = list(csv.DictReader(path.open()))
    assert [(r['id'], r['name'], r['kind'], r['score']) for r in rows] == [
        ('1', 'ring', 'thing', '0.9'), ('2', 'dot', 'thing', '0.8'), ('3', 'sky', 'stuff', '0.7')]
    assert [rows[1][key] for key in ('left', 'top', 'right', 'bottom')] == ['60', '10', '75', '51']
    assert rows[0]['runners_up'] == 'dot 0.250; sky 0.125'
    assert float(rows[1]['share']) == pytest.approx(151 / 4800)


@pytest.mark.parametrize('ending', ['png', 'jpg', 'webp'])
def test_a_picture_is_scaled_up_until_names_can_be_read(holes, tmp_path, ending):
    path, = holes.save(tmp_path / f'a.{ending}')
    image = Image.open(path)
    assert image.width == 640 and image.height >= 480
    assert image.format == dict(png='PNG', jpg='JPEG', webp='WEBP')[ending]


def test_a_picture_too_long_for_its_format_is_told(build_result, tmp_path):
    strip = np.ones((1, 70_000), int)
    result = build_result(strip, ['dot'], SHAPES, image=np.zeros((1, 70_000, 3), np.uint8))
    with pytest.raises(ValueError, match=r'a\.jpg: a picture of 70000 x .* cannot be written'):
        result.save(tmp_path / 'a.jpg')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(('name', 'asked', 'message'), [
    ('a.json', None, r"a\.json: a file \.json may be several things\. Say which: "
     r"format='coco-panoptic' or .*format='labelme' or format='json'"),
    ('a.xyz', None, r"no format has the ending '\.xyz'\. There are \.bmp"),
    ('a', None, "no format has the ending ''"),
    ('a.csv', 'labelme', r"a\.csv: files of the format 'labelme' end in \.json"),
    ('a.json', 'coco', "There is no format 'coco'. There are: picture, coco-panoptic")])
def test_what_is_not_clear_is_asked(holes, tmp_path, name, asked, message):
    with pytest.raises(ValueError, match=message):
        holes.save(tmp_path / name, asked)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('name', FORMATS)
def test_nothing_is_overwritten_in_silence(holes, tmp_path, name):
    path = tmp_path / f'a{FORMATS[name].endings[0]}'
    save = partial(holes.save, path, name)
    written = save()
    first = [file.read_bytes() for file in written]
    assert save() == written, 'the same again is no mistake'
    written[-1].write_text('of the user')
    with pytest.raises(FileExistsError, match='is there already'):
        save()
    assert written[-1].read_text() == 'of the user'
    save(overwrite=True)
    assert [file.read_bytes() for file in written] == first
