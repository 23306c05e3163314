"""Segments and pixels that disagree, ids that never meet, fields left out."""

import math

import numpy as np
import pytest


def told(log):
    return [record.getMessage() for record in log.records if record.levelname == 'WARNING']


def everything(small_set, small):
    """What is trained, and the figures of a perfect model."""
    figures = {}
    for kind in small.METRIC_TYPES:
        found = small_set.figures(kind)
        assert all(math.isfinite(value) for value in found.values()), found
        figures[kind] = small_set.evaluate(kind)
    return small_set.trained(), figures


def assert_refused(small_set, small, message):
    """By the data set when it is built, and by each metric when it is."""
    small_set.save()
    with pytest.raises(ValueError, match=message):
        small_set.build()
    for kind in small.METRIC_TYPES:
        with pytest.raises(ValueError, match=message):
            small_set.metric(kind)


# Fields left out, or of no use


@pytest.mark.parametrize('fields', [
    ('iscrowd', ), ('bbox', ), ('area', ), ('iscrowd', 'bbox', 'area')])
@pytest.mark.parametrize('of', ['all segments', 'the first segment'])
def test_what_can_be_made_of_the_pixels_is_made(small_set, small, fields, of):
    for segment in small_set.segments()[:None if of == 'all segments' else 1]:
        for field in fields:
            del segment[field]
    small_set.save()
    assert everything(small_set, small) == (small_set.right, small.PERFECT)


@pytest.mark.parametrize(('field', 'value'), [
    ('area', 0), ('area', -3), ('area', None), ('area', '48'), ('area', math.nan),
    ('area', math.inf), ('area', True),
    ('bbox', [10.4, 10.2, 0.6, 30.0]), ('bbox', [0, 0, 0, 0]), ('bbox', []), ('bbox', [1, 2, 3]),
    ('bbox', [0, 0, math.nan, 4]), ('bbox', ['0', '0', '6', '8']), ('bbox', 'none'),
    ('bbox', None), ('bbox', {'x': 1})])
def test_an_area_and_a_box_that_cannot_be_are_made_anew(small_set, small, log, field, value):
    small_set.segments()[0][field] = value
    small_set.save()
    assert everything(small_set, small) == (small_set.right, small.PERFECT)
    message = f"panoptic.json: segments whose '{field}' cannot be: "
    found = [line for line in told(log) if message in line]
    assert bool(found) == (value is not None)
    assert all('of segment 1 of image 1 (1.jpg)' in line for line in found)


@pytest.mark.parametrize('area', [1, 24, 96, 1e9])
def test_an_area_that_is_not_that_of_the_pixels_is_told_and_not_used(
        small_set, small, log, area):
    small_set.segments()[0]['area'] = area
    small_set.save()
    assert everything(small_set, small) == (small_set.right, small.PERFECT)
    assert [line for line in told(log)
            if "maps/1.png: segments whose 'area' is not that of their pixels: "
            f'{area} of segment 1, 48 pixels' in line]


@pytest.mark.parametrize('area', [48.0, 48.4, 47])
def test_the_rounding_of_other_tools_is_no_mistake(small_set, log, area):
    small_set.segments()[0]['area'] = area
    small_set.save()
    assert small_set.evaluate('CocoPanopticMetric') == 100 and not told(log)


def test_a_box_that_is_not_that_of_the_pixels_is_told_and_not_used(small_set, log):
    small_set.segments()[1]['bbox'] = [0, 0, 9, 9]
    small_set.save()
    boxes = small_set.build()[0]['data_samples'].gt_instances.bboxes.tensor
    assert boxes.tolist() == [[0, 0, 6, 8], [7, 0, 15, 8]]
    line, = told(log)
    assert "'bbox' is not that of their pixels: [0, 0, 9, 9] of segment 300, [7, 0, 15, 8]" in line


@pytest.mark.parametrize(('value', 'is_crowd'), [
    (0, False), (1, True), ('0', False), ('1', True), (False, False), (True, True), (0.0, False),
    ('false', False), ('True', True), (None, False)])
def test_groups_of_things_however_they_are_written(small_set, value, is_crowd):
    small_set.segments()[0]['iscrowd'] = value
    small_set.save()
    assert len(small_set.trained()[0][1]) == 2 - is_crowd
    samples = small_set.perfect()
    panoptic = samples[0]['pred_panoptic_seg']['sem_seg']
    panoptic[panoptic == 1000] = 4  # the first ball is not found
    # a group that is not found is no miss; of three balls one else
    assert small_set.evaluate('CocoPanopticMetric', samples) == pytest.approx(
        100 if is_crowd else 100 * (2 / 2.5 + 3) / 4)


@pytest.mark.parametrize('value', ['perhaps', 2, [], -1])
def test_an_iscrowd_that_means_nothing_is_refused(small_set, small, value):
    small_set.segments()[0]['iscrowd'] = value
    assert_refused(small_set, small, "whose 'iscrowd' is neither 0 nor 1: .* of segment 1 of image")


@pytest.mark.parametrize('keys', [('height', 'width'), ('height', ), ('width', )])
def test_images_without_sizes(small_set, small, keys):
    for image in small_set.content['images']:
        for key in keys:
            del image[key]
    small_set.save()
    assert everything(small_set, small) == (small_set.right, small.PERFECT)
    assert len(small_set.trained(filter_cfg=dict(min_size=16))) == 3
    with pytest.raises(ValueError, match=r'panoptic\.json: no image is left by filter_cfg'):
        small_set.build(filter_cfg=dict(min_size=17))


# Ids


@pytest.mark.parametrize('segment_id', [
    0, -1, 256**3, 1.5, '1', 'one', None, True, [1], math.nan])
def test_ids_that_no_pixel_can_have(small_set, small, segment_id):
    small_set.segments()[0]['id'] = segment_id
    assert_refused(small_set, small, r"panoptic\.json: segments whose 'id' is no whole number from "
                                     r"1 to 256\^3 - 1: .* of image 1 \(1\.jpg\)")


def test_ids_as_whole_floats(small_set, small):
    """As pandas writes them."""
    for segment in small_set.segments():
        segment['id'] = float(segment['id'])
    small_set.save()
    assert everything(small_set, small) == (small_set.right, small.PERFECT)


@pytest.mark.parametrize('category_id', [3, 7, 12])
def test_double_ids(small_set, small, category_id):
    small_set.annotation(1)['segments_info'].append(
        dict(small_set.segments()[0], category_id=category_id))
    assert_refused(small_set, small, r'with the id of another of their image: 1 of image 1')


def test_the_same_id_in_two_images_is_no_mistake(small_set, small):
    small_set.ids[2][small_set.ids[2] == 9] = 300
    small_set.annotation(2)['segments_info'][0]['id'] = 300
    small_set.save()
    assert everything(small_set, small) == (small_set.right, small.PERFECT)


@pytest.mark.parametrize('category_id', [999, '7', None, 0, [7]])
def test_categories_of_nobody(small_set, small, category_id):
    small_set.segments()[0]['category_id'] = category_id
    assert_refused(small_set, small, r"whose 'category_id' is not in 'categories': .* of segment 1")


@pytest.mark.parametrize('change', [
    lambda i: i + 144, str, lambda i: f'{i:012}.jpg', lambda i: -i])
def test_annotations_of_no_image(small_set, small, change):
    for image in small_set.content['images']:
        image['id'] = change(image['id'])
    assert_refused(small_set, small, r'panoptic\.json: 3 images, none of which has an annotation: '
                                     r'they have ids .*, and the annotations are of images 1, 2, 3')


def test_ids_may_be_texts(small_set, small):
    """As those of ADE20K and Mapillary Vistas."""
    for image, annotation in zip(
            small_set.content['images'], small_set.content['annotations'], strict=True):
        image['id'] = annotation['image_id'] = f'ADE_val_{image["id"]:08}'
    for segment in small_set.segments():
        segment['category_id'] = f'c{segment["category_id"]}'
    for category in small_set.content['categories']:
        category['id'] = f'c{category["id"]}'
    small_set.save()
    assert everything(small_set, small) == (small_set.right, small.PERFECT)


@pytest.mark.parametrize('left', [1, 2])
def test_images_without_an_annotation_are_counted_and_left_out(small_set, log, left):
    small_set.content['annotations'] = small_set.content['annotations'][:left]
    small_set.save()
    assert small_set.trained() == small_set.right[:left]
    assert [line for line in told(log) if f'{3 - left} of 3 images have no annotation: ' in line]
    for kind in ('CocoPanopticMetric', 'OpenVocabularySemanticMetric'):
        assert small_set.evaluate(kind) == 100, 'they do not count'
    assert small_set.evaluate('OpenVocabularyInstanceMetric') == 1


def test_images_that_are_tested_and_not_annotated_are_no_evaluation(small_set):
    del small_set.content['annotations'][2]
    small_set.save()
    samples = small_set.perfect()[2:]
    with pytest.raises(ValueError, match='images were tested, and none is annotated'):
        small_set.evaluate('CocoPanopticMetric', samples)
    with pytest.raises(ValueError, match='none of the 1 images that were tested has a pixel'):
        small_set.evaluate('OpenVocabularySemanticMetric', samples)


@pytest.mark.parametrize('kind', ['OpenVocabularyInstanceMetric', 'OpenVocabularySemanticMetric',
                                  'CocoPanopticMetric'])
def test_images_that_the_file_does_not_list_are_refused(small_set, kind):
    small_set.save()
    samples = small_set.perfect()
    samples[1]['img_id'] = 77
    with pytest.raises(ValueError, match=r'2\.jpg with id 77 is tested, and .*panoptic\.json does'):
        small_set.evaluate(kind, samples)


def test_annotations_of_images_that_are_not_listed_are_told(small_set, log):
    del small_set.content['images'][0]
    del small_set.ids[1], small_set.pictures[1]
    small_set.content['annotations'].append(small_set.content['annotations'].pop(0))
    small_set.save()
    assert len(small_set.build()) == 2
    line, = told(log)
    assert "annotations of images that 'images' does not list: 1. They are left out" in line


def test_annotations_without_segments_of_any_class_are_refused(small_set, small):
    for annotation in small_set.content['annotations']:
        annotation['segments_info'] = []
    small_set.save()
    with pytest.raises(ValueError, match='3 annotations, none of which has a segment of one'):
        small_set.build()


def test_an_annotation_without_segments_is_void(small_set):
    small_set.annotation(2)['segments_info'] = []
    small_set.ids[2][:] = 0
    small_set.save()
    assert small_set.trained()[1] == (dict(void=24 * 16), [])
    assert small_set.evaluate('CocoPanopticMetric') == 100


@pytest.mark.parametrize(('change', 'message'), [
    (lambda c: c['images'].append(dict(c['images'][0])), "'images' with the id of another: 1"),
    (lambda c: c['images'][0].pop('id'), "'images' without an 'id'"),
    (lambda c: c['images'][0].pop('file_name'), "'images' without a 'file_name'"),
    (lambda c: c['images'][0].update(file_name=''), "'images' without a 'file_name'"),
    (lambda c: c['annotations'].append(dict(c['annotations'][0], file_name='9.png')),
     'annotations of an image that has one before: 1'),
    (lambda c: c['annotations'][0].pop('image_id'), "'image_id' or 'file_name' is none"),
    (lambda c: c['annotations'][0].pop('segments_info'), "without a list 'segments_info'"),
    (lambda c: c['annotations'][0].update(segments_info=None), "without a list 'segments_info'"),
    (lambda c: c['annotations'][0]['segments_info'].append('x'), "segments that are no objects"),
    (lambda c: c.update(annotations={}), "'annotations' is no list"),
    (lambda c: c['images'].clear(), "list 'images' is empty")])
def test_entries_that_are_double_or_broken(small_set, small, change, message):
    small_set.save()
    change(small_set.content)
    small_set.save_json()
    with pytest.raises(ValueError, match=message):
        small_set.build()
    for kind in small.METRIC_TYPES:
        with pytest.raises(ValueError, match=message):
            small_set.metric(kind)


@pytest.mark.parametrize('content', ['', '{', '[]', '{"images": 3}', 'null', '\x00\x01'])
def test_files_of_something_else(small_set, small, content):
    small_set.save()
    small_set.ann_file.write_text(content)
    with pytest.raises(ValueError, match=r'panoptic\.json (is no JSON|has no list)'):
        small_set.build()
    for kind in small.METRIC_TYPES:
        with pytest.raises(ValueError, match=r'panoptic\.json (is no JSON|has no list)'):
            small_set.metric(kind)


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16', 'utf-32'])
def test_json_in_other_encodings(small_set, small, encoding):
    """As editors of Windows write it."""
    small_set.save()
    small_set.ann_file.write_text(small_set.ann_file.read_text(), encoding=encoding)
    assert everything(small_set, small) == (small_set.right, small.PERFECT)


def test_a_missing_file(small_set, small):
    with pytest.raises(FileNotFoundError, match=r'panoptic\.json is not there'):
        small_set.build()
    for kind in small.METRIC_TYPES:
        with pytest.raises(FileNotFoundError, match=r'panoptic\.json is not there'):
            small_set.metric(kind)


def test_instances_in_place_of_panoptic_annotations(small_set, small):
    small_set.content['annotations'] = [
        dict(segment, image_id=annotation['image_id'], segmentation=[[0, 0, 0, 9, 9, 9]])
        for annotation in small_set.content['annotations']
        for segment in annotation['segments_info']]
    small_set.save_json()
    for build in (small_set.build, lambda: small_set.metric('CocoPanopticMetric')):
        with pytest.raises(ValueError, match=r"10 annotations without .* like instance ann"):
            build()


# Segments and pixels


def test_a_segment_without_pixels_is_never_trained(small_set, small, log):
    ids = small_set.ids[1]
    ids[ids == 1] = 70_000
    small_set.save()
    (pixels, things), *others = small_set.trained()
    assert things == [('ball', 64)] and pixels == dict(
        ball=64, grass=240, sky=56, void=24 * 16 - 360)
    assert others == small_set.right[1:]
    assert [line for line in told(log) if '1.png: segments without a pixel: segment 1.' in line]
    for kind in small.METRIC_TYPES:
        assert all(math.isfinite(value) for value in small_set.figures(kind).values())
    # the ball that has no pixels is no miss; what was found there lies on grass
    stat = 100 * (2 / (2 + 0.5) + 1 + (192 / 240 + 1) / 2 + 1) / 4
    assert small_set.evaluate('CocoPanopticMetric') == pytest.approx(stat)


def test_boxes_and_labels_stay_with_their_masks(small_set):
    """Where a segment before them is left out."""
    ids = small_set.ids[3]
    ids[ids == 2] = 0
    small_set.save()
    instances = small_set.build()[2]['data_samples'].gt_instances
    assert instances.labels.tolist() == [0] and instances.bboxes.tensor.tolist() == [[1, 6, 9, 16]]
    assert instances.masks.masks.sum() == 80


def test_pixels_that_no_segment_is_listed_for_are_void(small_set, small, log):
    small_set.annotation(1)['segments_info'].pop(0)
    small_set.save()
    (pixels, things), *_ = small_set.trained()
    assert things == [('ball', 64)]
    assert pixels['ball'] == 64 and pixels['void'] == small_set.right[0][0]['void'] + 48
    assert [line for line in told(log) if 'pixels of ids that the annotation file does not list '
            'for it: 48 pixels of ids 1. They are void.' in line]
    # what is found on void is neither right nor wrong
    assert small_set.evaluate('CocoPanopticMetric') == 100
    assert small_set.evaluate('OpenVocabularySemanticMetric') == 100


@pytest.mark.parametrize('ids', [0, 12345])
def test_a_map_without_any_of_its_segments_is_refused(small_set, small, ids):
    small_set.ids[1][:] = ids
    small_set.save()
    message = r'maps/1\.png .PNG, RGB. holds none of the 4 segments .* with ids 1, 300, 70000, \.\.'
    with pytest.raises(ValueError, match=message):
        small_set.trained()
    for kind in small.METRIC_TYPES:
        with pytest.raises(ValueError, match=message):
            small_set.evaluate(kind)


def test_maps_that_were_exchanged_are_refused(small_set):
    small_set.save()
    first, second = (small_set.annotation(number) for number in (1, 2))
    first['file_name'], second['file_name'] = second['file_name'], first['file_name']
    small_set.save_json()
    with pytest.raises(ValueError, match=r'maps/2\.png .* holds none of the 4 segments'):
        small_set.trained()


def test_a_kind_of_mistake_is_told_once(small_set, log):
    for number in (1, 2, 3):
        small_set.annotation(number)['segments_info'].pop()
    small_set.save()
    dataset = small_set.build()
    for _ in range(2):
        for index in range(3):
            dataset[index]
    line, = told(log)
    assert 'maps/1.png: pixels of ids' in line and 'More of this kind are not named.' in line


def test_a_map_of_another_size_is_refused_by_every_metric(small_set, small):
    small_set.save()
    small.save_rgb(small_set.ids[2][:20], small_set.path('maps', '2.png'))
    message = r'2\.jpg has 16 x 24 pixels, its annotation map .*maps/2\.png 16 x 20\.'
    with pytest.raises(ValueError, match=message):
        small_set.trained()
    for kind in small.METRIC_TYPES:
        with pytest.raises(ValueError, match=message):
            small_set.evaluate(kind)


def test_many_segments_in_one_image(small_set):
    """More than a byte counts."""
    ids = np.arange(24 * 16).reshape(24, 16) + 1
    small_set.ids[1] = ids
    small_set.annotation(1)['segments_info'] = [
        dict(id=i, category_id=7 if i % 2 else 40) for i in range(1, 24 * 16 + 1)]
    small_set.save()
    pixels, things = small_set.trained()[0]
    assert pixels == dict(ball=192, grass=192) and things == [('ball', 1)] * 192
