"""The check of data sets: what is found, how often, where, and whether it is an error."""

import json
import multiprocessing
import pickle

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmodise.datasets.check import check_data_sets, configured_sets, folder_set
from mmodise.datasets.check.annotations import read_files
from mmodise.datasets.check.samples import MAX_ASPECT, MIN_SIDE, check_sample
from mmodise.datasets.panoptic import Findings, read_segments
from mmodise.visualization.annotated_samples import draw_samples

ALWAYS = {'tiny-images'}  # those of the small set are


def check(small_set):
    """Check a set by its files; of each kind but the tiny images whether it is an error."""
    report = check_data_sets([folder_set(
        str(small_set.root / 'images'), str(small_set.ann_file), str(small_set.root / 'maps'))])
    return {finding.kind: (finding.is_error, finding.count, finding.examples)
            for finding in report.sets[0].findings if finding.kind not in ALWAYS}


def test_a_good_set(small_set):
    small_set.save()
    assert check(small_set) == {}
    report = check_data_sets([folder_set(
        str(small_set.root / 'images'), str(small_set.ann_file), str(small_set.root / 'maps'))])
    of_set = report.sets[0]
    assert (of_set.images, of_set.segments) == (3, 10)
    assert of_set.classes == dict(ball=(3, 2), box=(2, 2), grass=(2, 2), sky=(3, 3))
    assert (report.count(is_error=True), report.count(is_error=False)) == (0, 3)
    assert MIN_SIDE == 32 and report.sets[0].findings[0].examples[0].endswith(
        'images/1.jpg: 16 x 24 pixels')


def no_image(small_set):
    (small_set.root / 'images/2.jpg').unlink()


def no_maps(small_set):
    for number in (1, 3):
        (small_set.root / f'maps/{number}.png').unlink()


def cut_image(small_set):
    path = small_set.root / 'images/2.jpg'
    path.write_bytes(path.read_bytes()[:-200])


def text_for_a_map(small_set):
    (small_set.root / 'maps/2.png').write_text('version https://git-lfs')


def map_as_jpeg(small_set):
    path = small_set.root / 'maps/2.png'
    with Image.open(path) as image:
        image.load()
    image.save(path, format='JPEG')


def small_map(small_set):
    Image.new('RGB', (8, 12)).save(small_set.root / 'maps/2.png')


def maps_of_other_images(small_set):
    names = [small_set.root / f'maps/{number}.png' for number in (1, 2)]
    one, two = (name.read_bytes() for name in names)
    names[0].write_bytes(two)
    names[1].write_bytes(one)


def rewrite(change):
    """A change of the annotation file."""
    def apply(small_set):
        change(small_set)
        small_set.save_json()
    apply.__name__ = change.__name__
    return apply


@rewrite
def ids_as_text(small_set):
    for annotation in small_set.content['annotations']:
        annotation['image_id'] = str(annotation['image_id'])


@rewrite
def double_segment(small_set):
    small_set.segments()[1]['id'] = 1


@rewrite
def unknown_categories(small_set):
    for segment in small_set.segments()[:2]:
        segment['category_id'] = 99


@rewrite
def id_0(small_set):
    small_set.segments()[0]['id'] = 0


@rewrite
def image_twice(small_set):
    small_set.content['images'].append(dict(small_set.image(1)))


@rewrite
def instances(small_set):
    small_set.content['annotations'] = [
        dict(id=1, image_id=1, category_id=7, segmentation=[[0, 0, 1, 0, 1, 1]])]


def no_json(small_set):
    small_set.ann_file.write_text('{"images": [')


ERRORS = [
    (no_image, 'images-that-are-not-there', 1, 'images/2.jpg, of image 2 (2.jpg)'),
    (no_maps, 'maps-that-are-not-there', 2, 'maps/1.png, of image 1 (1.jpg)'),
    (cut_image, 'images-that-cannot-be-read', 1, 'images/2.jpg cannot be read; it is no image'),
    (text_for_a_map, 'maps-that-cannot-be-read', 1, 'maps/2.png cannot be read; it is no image'),
    (map_as_jpeg, 'maps-that-are-jpegs-inside', 1, 'maps/2.png (JPEG, RGB)'),
    (small_map, 'maps-of-another-size-than-their-image', 1,
     'images/2.jpg has 16 x 24 pixels, its annotation map'),
    (maps_of_other_images, 'maps-without-any-of-the-segments-that-are-listed', 2,
     'holds none of the 4 segments that the annotation file lists for it, with ids 1, 300, 70000'),
    (ids_as_text, 'images-none-of-which-has-an-annotation', 3, ''),
    (double_segment, 'segments-with-the-id-of-another-of-their-image', 1, '1 of image 1 (1.jpg)'),
    (unknown_categories, 'segments-whose-category_id-is-not-in-categories', 2,
     '99 of segment 1 of image 1 (1.jpg)'),
    (id_0, 'segments-whose-id-is-no-whole-number-from-1-to-256-3-1', 1, '0 of image 1 (1.jpg)'),
    (image_twice, 'entries-of-images-with-the-id-of-another', 1, '1'),
    (instances, 'annotations-without-a-list-segments_info', 1, "{'id': 1, 'image_id': 1"),
    (no_json, 'annotation-files-that-cannot-be-used', 1, 'panoptic.json is no JSON, or was cut'),
]


@pytest.mark.parametrize(('spoil', 'kind', 'count', 'example'), ERRORS,
                         ids=[case[0].__name__ for case in ERRORS])
def test_errors(small_set, spoil, kind, count, example):
    small_set.save()
    spoil(small_set)
    found = check(small_set)
    assert found[kind][:2] == (True, count)
    assert example in found[kind][2][0]


def one_pixel(small_set):
    small_set.ids[1][23, 15] = 4
    small_set.annotation(1)['segments_info'].append(dict(id=4, category_id=7))
    small_set.segments()[2]['area'] -= 1


def unlisted(small_set):
    small_set.ids[2][0, 0] = 1234


def without_pixels(small_set):
    small_set.annotation(3)['segments_info'].append(dict(id=77, category_id=3))


def other_areas(small_set):
    for segment in small_set.segments()[:4]:
        segment['area'] = 9999


def other_boxes(small_set):
    for segment in small_set.segments()[:3]:
        segment['bbox'] = [9, 9, 9, 9]


def no_box(small_set):
    for segment in small_set.segments():
        del segment['bbox'], segment['area'], segment['iscrowd']


def class_without_annotation(small_set):
    small_set.content['categories'].append(dict(id=5, name='tree', isthing=1))


def unsaid(small_set):
    del small_set.content['categories'][0]['isthing']


def long(small_set):
    small_set.ids[2] = np.full((10, 10 * MAX_ASPECT + 1), 9)
    small_set.pictures[2] = np.zeros((10, 10 * MAX_ASPECT + 1, 3), np.uint8)
    small_set.annotation(2)['segments_info'] = [dict(id=9, category_id=3)]
    small_set.image(2).update(height=10, width=10 * MAX_ASPECT + 1)


def no_segment(small_set):
    small_set.annotation(2)['segments_info'] = []
    small_set.ids[2][:] = 0


def said_size(small_set):
    small_set.image(3)['width'] = 999


def not_annotated(small_set):
    del small_set.content['annotations'][2]


def twins(small_set):
    small_set.pictures[3] = small_set.pictures[1]


ODD = [
    (one_pixel, 'segments-of-one-pixel', 1, 'maps/1.png: segment 4'),
    (unlisted, 'pixels-of-ids-that-the-annotation-file-does-not-list-for-it', 1,
     'maps/2.png: 1 pixels of ids 1234'),
    (without_pixels, 'segments-without-a-pixel', 1, 'maps/3.png: segment 77'),
    (other_areas, 'segments-whose-area-is-not-that-of-their-pixels', 4,
     'maps/1.png: 9999 of segment 1, 48 pixels, 9999 of segment 300, 64 pixels'),
    (other_boxes, 'segments-whose-bbox-is-not-that-of-their-pixels', 3,
     'maps/1.png: [9, 9, 18, 18] of segment 1, [0, 0, 6, 8] of the pixels'),
    (class_without_annotation, 'classes-without-an-annotation', 1, "'tree'"),
    (unsaid, 'categories-without-an-isthing-of-0-or-1', 1, "'ball'"),
    (long, 'images-of-an-extreme-shape', 1, 'images/2.jpg: 51 x 10 pixels'),
    (no_segment, 'images-without-a-segment', 1, 'maps/2.png: image 2 (2.jpg)'),
    (said_size, 'images-whose-width-and-height-are-not-the-picture-s', 1,
     'images/3.jpg: 999 x 24, 16 x 24 pixels'),
    (not_annotated, 'images-have-no-annotation', 1, '3'),
    (twins, 'images-with-the-content-of-another-of-their-set', 1, 'images/3.jpg and '),
]


@pytest.mark.parametrize(('change', 'kind', 'count', 'example'), ODD,
                         ids=[case[0].__name__ for case in ODD])
def test_what_is_odd(small_set, change, kind, count, example):
    change(small_set)
    small_set.save()
    found = check(small_set)
    assert found[kind][:2] == (False, count)
    assert example in found[kind][2][0]
    assert not any(is_error for is_error, *_ in found.values())


def test_what_is_left_out_of_the_file_is_not_odd(small_set):
    no_box(small_set)
    small_set.save()
    assert check(small_set) == {}


def test_files_that_lie_about(small_set):
    small_set.save()
    for name in ('images/new.JPG', 'images/more/1.jpg', 'maps/9.png', 'images/notes.txt'):
        small_set.path('.', name).parent.mkdir(exist_ok=True)
        small_set.path('.', name).write_bytes(b'')
    found = check(small_set)
    assert {kind: values[:2] for kind, values in found.items()} == {
        'images-that-no-annotation-names': (False, 2),
        'maps-that-no-annotation-names': (False, 1)}
    assert found['maps-that-no-annotation-names'][2][0].endswith('maps/9.png')


def test_kinds_of_pictures(small_set):
    small_set.image(1)['file_name'] = '1.png'
    small_set.save(write_picture=lambda pixels, path: Image.fromarray(pixels).convert(
        'RGBA' if path.suffix == '.png' else 'CMYK').save(path))
    kind = check(small_set)['images-that-are-not-colours-or-grey-of-8-bits']
    assert kind[:2] == (False, 3)
    assert [example.rpartition(' ')[2] for example in kind[2]] == ['RGBA', 'CMYK', 'CMYK']


# Data sets of a config


def config_of(small_set, val=None, **settings):
    """A config that trains with a set and validates, twice, with another or the same."""
    def loader(of):
        return dict(dataset=dict(
            type='CheckedPanopticDataset', data_root=str(of.root), metainfo=small_set.metainfo,
            ann_file='panoptic.json', data_prefix=dict(img='images/', seg='maps/'),
            pipeline=[dict(type='NobodyKnowsThisStep')], **settings))
    val = loader(val or small_set)
    return Config(dict(
        train_dataloader=loader(small_set), val_dataloader=val, test_dataloader=val))


def test_each_set_of_a_config_is_checked_once(small_set):
    sets = configured_sets(config_of(small_set))
    assert [named.name for named in sets] == ['train and val and test']


def test_sets_within_sets(small, small_set, tmp_path):
    other = small.SmallSet(tmp_path / 'other')
    config = config_of(small_set, other)
    config.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=dict(
        type='ConcatDataset', datasets=[
            config.train_dataloader.dataset, config.val_dataloader.dataset]))
    sets = configured_sets(config)
    assert [named.name for named in sets] == ['train', 'train and val and test']


def test_images_of_validation_that_are_trained(small, small_set, tmp_path):
    val = small.SmallSet(tmp_path / 'val')
    val.pictures[1] = val.pictures[1][::-1]
    for of in (small_set, val):
        of.save()
    report = check_data_sets(configured_sets(config_of(small_set, val)))
    train, tested = ({f.kind: f for f in each.findings} for each in report.sets)
    assert set(train) == ALWAYS
    trained = tested['images-that-are-trained-too-by-their-content']
    assert (trained.count, trained.is_error) == (2, False)
    assert trained.examples[0] == (
        f'{val.root}/images/2.jpg is {small_set.root}/images/2.jpg')


def test_classes_go_by_the_metainfo(small_set):
    small_set.metainfo = dict(
        classes=('Ball', 'box', 'grass', 'cloud'), thing_classes=('Ball', 'box'),
        stuff_classes=('grass', 'cloud'))
    small_set.save()
    of_set, = check_data_sets(configured_sets(config_of(small_set))).sets
    found = {f.kind: (f.is_error, f.examples[0]) for f in of_set.findings}
    assert found['classes-of-the-metainfo-that-have-another-name-here'] == (
        True, "'Ball' is 'ball'")
    assert found['categories-are-no-classes-of-the-metainfo'] == (
        False, "'sky' (3 segments in 3 images)")
    assert found['classes-of-the-metainfo-are-no-categories-here'] == (False, "'cloud'")


def test_captions(small_set):
    small_set.save()
    captions = dict(images=[dict(id=1)], annotations=[
        dict(id=1, image_id=1, caption='a ball on the grass')])
    path = small_set.path('.', 'captions.json')
    path.write_text(json.dumps(captions))

    def found():
        of_set, = check_data_sets(
            configured_sets(config_of(small_set, caption_file='captions.json'))).sets
        return {f.kind: (f.is_error, f.count) for f in of_set.findings if f.kind not in ALWAYS}

    assert found() == {'images-without-a-caption': (False, 2)}
    captions['annotations'][0]['image_id'] = 9
    path.write_text(json.dumps(captions))
    assert found() == {'captions-files-without-a-caption-of-one-of-the-images': (True, 1)}
    path.write_text('[]')
    assert found() == {'captions-files-that-cannot-be-used': (True, 1)}


def test_images_with_captions_and_without_masks(small_set):
    small_set.save()
    content = dict(images=small_set.content['images'], annotations=[
        dict(id=i, image_id=i, caption='a ball on the grass') for i in (1, 2)])
    small_set.path('.', 'captions.json').write_text(json.dumps(content))
    (small_set.root / 'images/1.jpg').unlink()
    config = Config(dict(train_dataloader=dict(dataset=dict(
        type='CaptionedImagesDataset', data_root=str(small_set.root), ann_file='captions.json',
        data_prefix=dict(img='images/'), metainfo=small_set.metainfo, pipeline=[]))))
    of_set, = check_data_sets(configured_sets(config)).sets
    assert of_set.images == 2
    found = {f.kind: (f.is_error, f.count) for f in of_set.findings if f.kind not in ALWAYS}
    assert found == {
        'images-that-are-not-there': (True, 1), 'images-without-a-caption': (False, 1),
        'images-that-no-annotation-names': (False, 1)}


def test_data_sets_of_other_kinds_are_refused():
    config = Config(dict(val_dataloader=dict(dataset=dict(type='CocoDataset'))))
    with pytest.raises(ValueError, match='val_dataloader has a data set of type CocoDataset, whic'):
        configured_sets(config)
    with pytest.raises(ValueError, match='names no data set'):
        configured_sets(Config(dict()))


# What the reader counts by runs of equal pixels


def test_pixels_and_boxes_of_segments(tmp_path):
    random = np.random.default_rng(0)
    for shape in ((1, 1), (1, 30), (17, 1), (5, 7), (23, 19)):
        ids = random.integers(0, 6, shape)
        colours = np.stack([ids, ids // 256, ids // 65536], axis=-1).astype(np.uint8)
        Image.fromarray(colours).save(tmp_path / 'map.png')
        listed = [int(i) for i in np.unique(ids) if 0 < i < 5]
        findings = Findings('map')
        if not listed:
            continue
        segments = read_segments(
            str(tmp_path / 'map.png'), [dict(id=i) for i in listed], findings)
        for place, (i, box) in enumerate(zip(listed, segments.boxes(), strict=True)):
            mask = ids == i
            assert ((segments.numbers == place + 1) == mask).all()
            rows, columns = np.nonzero(mask)
            assert segments.areas[place] == mask.sum()
            assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        unlisted = [f.examples for f in findings if f.what.startswith('pixels of ids')]
        count = int((ids == 5).sum())
        assert unlisted == ([[f'{count} pixels of ids 5']] if count else [])


# Processes, and the picture


@pytest.fixture
def many(small_set):
    """A set of 150 images, which two processes share; the last map cannot be read."""
    small_set.save()
    image, annotation = small_set.image(1), small_set.annotation(1)
    small_set.content['images'] = [dict(image, id=i) for i in range(150)]
    small_set.content['annotations'] = [
        dict(annotation, image_id=i, file_name=f'm{i}.png') for i in range(150)]
    small_set.save_json()
    whole = (small_set.root / 'maps/1.png').read_bytes()
    for i in range(150):
        small_set.path('maps', f'm{i}.png').write_bytes(whole if i < 149 else b'')
    return small_set


def test_processes_find_the_same_in_the_same_order(many, monkeypatch):
    started = []
    pool = multiprocessing.Pool
    monkeypatch.setattr(multiprocessing, 'Pool', lambda n: started.append(n) or pool(n))
    sets = [folder_set(str(many.root / 'images'), str(many.ann_file), str(many.root / 'maps'))]
    done = []
    one, two = (check_data_sets(sets, workers, done.append, done.append) for workers in (1, 2))
    assert started == [2] and one.content() == two.content()
    assert done == 2 * [150, *[1] * 150]
    unreadable = {f.kind: f.count for f in two.sets[0].findings}['maps-that-cannot-be-read']
    assert unreadable == 1


def test_what_processes_are_given_can_be_sent(small_set):
    """As where they are spawned; and what they give back."""
    small_set.save()
    files = read_files(folder_set(
        str(small_set.root / 'images'), str(small_set.ann_file), str(small_set.root / 'maps')))
    work, sample = pickle.loads(pickle.dumps((check_sample, files.samples[0])))
    result = pickle.loads(pickle.dumps(work(sample)))
    assert result.is_usable and len(result.content) == 16


def test_the_picture_shows_samples_without_errors(small_set):
    small_set.save()
    text_for_a_map(small_set)
    sets = [folder_set(
        str(small_set.root / 'images'), str(small_set.ann_file), str(small_set.root / 'maps'))]
    report = check_data_sets(sets)
    assert [sample.entry for sample in report.usable[0][0]] == [
        'image 1 (1.jpg)', 'image 3 (3.jpg)']
    picture = draw_samples(report)
    assert picture.ndim == 3 and picture.shape[1] > 2 * 480 and picture.dtype == np.uint8
    no_maps(small_set)
    assert draw_samples(check_data_sets(sets)) is None
