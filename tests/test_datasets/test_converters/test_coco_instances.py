import numpy as np
import pytest
from pycocotools import mask as coco_mask

from .conftest import LEFT, TOP, annotation, coco, convert, save_picture

SEEN = [('floor', 30, 0), ('box', 60, 0)]


def test_the_later_covers_the_earlier_unless_the_user_says_otherwise(warehouse, tmp_path):
    assert convert(warehouse, '--stuff', 'floor').pictures['images/a.jpg'].segments == SEEN
    earlier = convert(warehouse, '--stuff', 'floor', '--overlap', 'earlier', '--out-dir',
                      str(tmp_path / 'earlier')).pictures['images/a.jpg']
    assert earlier.segments == [('floor', 60, 0), ('box', 30, 0)] and earlier.void == 30


def test_void_classes_are_void_where_they_are_seen(warehouse):
    found = convert(warehouse, '--stuff', '', '--void', 'box')
    assert found.pictures['images/b.jpg'].segments == [('floor', 30, 0)]
    assert found.pictures['images/b.jpg'].void == 90 and found.made.things == ('floor', )


def test_stuff_in_pieces_is_one_segment_and_things_are_not(tmp_path):
    save_picture(tmp_path / 'd/a.png')
    pieces = [annotation(i, 1, 1, [[x, 0, x + 2, 0, x + 2, 2, x, 2]]) for i, x in ((1, 0), (2, 6))]
    coco(tmp_path / 'd/x.json', ['a.png'], pieces)
    assert convert(tmp_path / 'd', '--stuff', 'box').pictures['a.png'].segments == [('box', 8, 0)]
    assert convert(tmp_path / 'd', '--stuff', '', '--out-dir', str(tmp_path / 'o')
                   ).pictures['a.png'].segments == [('box', 4, 0)] * 2


def run_lengths(mask, compressed):
    if compressed:
        encoded = coco_mask.encode(np.asfortranarray(mask))
        return dict(encoded, counts=encoded['counts'].decode())
    flat = mask.ravel(order='F')
    ends = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *ends, flat.size]).tolist()
    return dict(size=list(mask.shape), counts=[0] * int(flat[0]) + counts)


@pytest.mark.parametrize('compressed', [False, True])
def test_a_crowd_never_covers_an_object_and_cvats_is_an_object(tmp_path, compressed):
    save_picture(tmp_path / 'd/a.png')
    mask = np.zeros((10, 12), np.uint8)
    mask[:4] = 1
    entries = [annotation(1, 1, 1, [LEFT]),
               annotation(2, 1, 1, run_lengths(mask, compressed), iscrowd=1)]
    path = coco(tmp_path / 'd/x.json', ['a.png'], entries)
    crowd = convert(tmp_path / 'd', '--stuff', '').pictures['a.png']
    assert crowd.segments == [('box', 60, 0), ('box', 24, 1)]
    coco(path, ['a.png'], [dict(entry, attributes={'occluded': False}) for entry in entries])
    objects = convert(tmp_path / 'd', '--stuff', '', '--out-dir', str(tmp_path / 'o'))
    assert objects.pictures['a.png'].segments == [('box', 36, 0), ('box', 48, 0)]


@pytest.mark.parametrize('written, there', [
    ('yard/a b.jpg', 'images/default/yard/a b.jpg'),
    ('a\\b.jpg', 'images/a/b.jpg'),
    ('images\\c.jpg', 'images/c.jpg'),
    ('F\u00fc.JPG', 'images/Fu\u0308.JPG'),
    ('my%20a.png', 'images/my a.png'),
    ('../../media/upload/1/16ef768c-a.jpg', 'images/16ef768c-a.jpg'),
    ('/data/local-files/?d=a/e.jpg', None),
    ('C:\\x\\e.jpg', 'images/e.jpg'),
    ('e.jpg', 'images/e.JPG'),
])
def test_pictures_are_found_under_other_spellings(tmp_path, written, there):
    root = tmp_path / 'd'
    save_picture(root / (there or 'images/other.jpg'))
    coco(root / 'annotations/instances_default.json', [written], [annotation(1, 1, 1, [TOP])])
    if there is None:
        with pytest.raises(SystemExit, match='nowhere below'):
            convert(root, '--stuff', '')
    else:
        assert list(convert(root, '--stuff', '').pictures) == [there]


def test_a_name_in_two_folders_is_that_of_its_subset_or_refused(tmp_path):
    for subset in ('train', 'val'):
        save_picture(tmp_path / f'd/images/{subset}/0.png')
        coco(tmp_path / f'd/annotations/instances_{subset}.json', ['0.png'],
             [annotation(1, 1, 1, [LEFT if subset == 'train' else TOP[:6]])])
    pictures = convert(tmp_path / 'd', '--stuff', '').pictures
    assert pictures['images/train/0.png'].segments == [('box', 60, 0)]
    assert {key: item.split for key, item in pictures.items()} == {
        'images/train/0.png': 'train', 'images/val/0.png': 'val'}
    for subset in ('train', 'val'):
        (tmp_path / f'd/annotations/instances_{subset}.json').rename(
            tmp_path / f'd/annotations/part{subset}.json')
    with pytest.raises(SystemExit, match=r'may be .*0\.png or '):
        convert(tmp_path / 'd', '--stuff', '', '--out-dir', str(tmp_path / 'o'))


@pytest.mark.parametrize('project_is_last', [False, True])
def test_category_0_of_roboflow_is_the_project(tmp_path, project_is_last):
    categories = [dict(id=0, name='bolt', supercategory='none'),
                  dict(id=1, name='bolt', supercategory='bolt'),
                  dict(id=2, name='nut', supercategory='bolt')]
    if project_is_last:
        categories.append(categories.pop(0))
    for split in ('train', 'valid', 'test'):
        save_picture(tmp_path / f'd/{split}/a_jpg.rf.01.jpg')
        coco(tmp_path / f'd/{split}/_annotations.coco.json', ['a_jpg.rf.01.jpg'],
             [annotation(0, 1, 1, [LEFT])], categories)
    found = convert(tmp_path / 'd', '--stuff', '')
    assert found.made.things == ('bolt', 'nut')
    assert found.made.counts == dict(train=1, val=1, test=1)


@pytest.mark.parametrize('orientation, size, size_said', [
    (6, (12, 10), (10, 12)), (6, (12, 10), (12, 10)), (8, (12, 10), (12, 10))])
def test_maps_are_turned_as_pictures_are(tmp_path, orientation, size, size_said):
    save_picture(tmp_path / 'd/a.jpg', size, orientation)
    corner = [0, 0, 3, 0, 3, 2, 0, 2]
    coco(tmp_path / 'd/x.json', ['a.jpg'], [annotation(1, 1, 1, [corner])], size=size_said)
    picture = convert(tmp_path / 'd', '--stuff', '').pictures['a.jpg']
    assert picture.size == (10, 12) and picture.ids.shape == (12, 10)
    if size_said == (10, 12):  # as it is shown
        assert picture.infos[0]['bbox'] == [0, 0, 3, 2]
    else:  # as it is stored; 6 is turned to the right, 8 to the left
        assert picture.infos[0]['bbox'] == ([8, 0, 2, 3] if orientation == 6 else [0, 9, 2, 3])
    x, y, w, h = picture.infos[0]['bbox']
    assert (picture.ids[y:y + h, x:x + w] == 1).all() and (picture.ids == 1).sum() == 6


def test_boxes_without_a_mask_are_left_out_and_counted(warehouse, capsys):
    coco(warehouse / 'annotations/instances_default.json', ['a.jpg', 'b.jpg'], [
        annotation(1, 1, 1, []), annotation(2, 2, 1, [LEFT]), annotation(3, 2, 1, [[1, 1, 5, 5]])])
    found = convert(warehouse, '--stuff', 'floor')
    assert found.pictures['images/a.jpg'].void == 120
    assert found.pictures['images/b.jpg'].segments == [('box', 60, 0)]
    told = capsys.readouterr().out
    assert 'boxes without a mask' in told and 'annotations without a pixel' in told


@pytest.mark.parametrize('change, message', [
    (dict(category_id=9), r"instances_default.json, annotation 1: 'category_id' 9 is not in"),
    (dict(image_id=9), "of images that 'images' does not list, such as 9"),
    (dict(segmentation=[[0, 0, 1]]), 'annotation 1 of image 1: a polygon is'),
    (dict(segmentation=[[0, 0, float('nan'), 1, 2, 2]]), 'a polygon is'),
    (dict(segmentation=dict(size=[12, 10], counts=[120])), r"'size' \[12, 10\], the picture"),
    (dict(segmentation=dict(size=[10, 12], counts=[100])), 'do not add up to the 120 pixels'),
    (dict(segmentation=dict(size=[10, 12], counts='0d1000')), 'compressed run lengths'),
    (dict(segmentation='no'), "'segmentation' is a list of polygons"),
])
def test_bad_entries_are_named_and_nothing_is_finished(warehouse, change, message):
    coco(warehouse / 'annotations/instances_default.json', ['a.jpg', 'b.jpg'],
         [dict(annotation(1, 1, 1, [LEFT]), **change), annotation(2, 2, 1, [LEFT])])
    with pytest.raises(SystemExit, match=message):
        convert(warehouse, '--stuff', '')
    assert not list(warehouse.parent.rglob('odise_*.py'))


@pytest.mark.parametrize('size, message', [
    ((24, 20), r'annotated at 24 x 20, the picture .* has 12 x 10')])
def test_a_picture_of_another_size_is_refused(warehouse, size, message):
    coco(warehouse / 'annotations/instances_default.json', ['a.jpg', 'b.jpg'],
         [annotation(1, 1, 1, [LEFT])], size=size)
    with pytest.raises(SystemExit, match=message):
        convert(warehouse, '--stuff', '')


def test_a_picture_that_is_annotated_twice_is_refused(warehouse):
    path = warehouse / 'annotations/instances_default.json'
    path.with_name('result_coco.json').write_text(path.read_text())
    with pytest.raises(SystemExit, match=r'is annotated twice.*--annotations FILE'):
        convert(warehouse, '--stuff', '')
    found = convert(warehouse, '--stuff', 'floor', '--annotations', str(path))
    assert found.pictures['images/a.jpg'].segments == SEEN


def test_annotations_that_stand_twice_count_once(tmp_path, capsys):
    """The second would cover what is drawn over the first."""
    save_picture(tmp_path / 'd/a.png')
    entries = [annotation(1, 1, 2, [TOP]), annotation(2, 1, 1, [LEFT]), annotation(1, 1, 2, [TOP])]
    coco(tmp_path / 'd/x.json', ['a.png'], entries)
    assert convert(tmp_path / 'd', '--stuff', 'floor').pictures['a.png'].segments == SEEN
    assert 'annotations that stand twice' in capsys.readouterr().out
