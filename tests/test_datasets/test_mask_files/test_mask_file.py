"""Masks of pictures in files of each format; what is wrong with a file, before any picture."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mmodise.datasets.mask_files import MaskFile

HEIGHT, WIDTH = 12, 20
SHAPE = (HEIGHT, WIDTH)
LEFT, RIGHT = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
LEFT[2:9, :11], RIGHT[4:, 8:] = True, True  # which overlap
SQUARE = [3, 2, 9, 2, 9, 6, 3, 6]


def compressed(mask):
    encoded = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return dict(size=list(mask.shape), counts=encoded['counts'].decode())


def plain(mask):
    """Run lengths without compression."""
    flat = mask.ravel(order='F').astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, flat.size]).tolist()
    return dict(size=list(mask.shape), counts=[0, *runs] if flat[0] else runs)


def annotation(segmentation, image_id=1, **more):
    return dict(image_id=image_id, category_id=1, segmentation=segmentation, **more)


def image(image_id=1, name='a/1.jpg', **more):
    return dict(id=image_id, file_name=name, height=HEIGHT, width=WIDTH) | more


@pytest.fixture
def write(tmp_path):
    """Give a function that writes a file and gives its path."""

    def write(content, name='masks.json'):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith('.npz'):
            np.savez(path, **content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def write_panoptic(folder, name, ids, picture='1.jpg'):
    folder.mkdir(parents=True, exist_ok=True)
    colours = np.stack([ids % 256, ids // 256, 0 * ids], axis=-1).astype(np.uint8)
    Image.fromarray(colours).save(folder / f'{name}.png')
    infos = [dict(id=int(i), category_id=1, area=int((ids == i).sum()), iscrowd=0)
             for i in np.unique(ids) if i]
    content = dict(
        images=[image(name=picture)], categories=[dict(id=1, name='thing', isthing=1)],
        annotations=[dict(image_id=1, file_name=f'{name}.png', segments_info=infos)])
    path = folder / f'{name}.json'
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize('encode', [compressed, plain])
def test_run_lengths(write, encode):
    path = write(dict(images=[image()], annotations=[
        annotation(encode(LEFT), score=0.25), annotation(encode(RIGHT), score=1)]))
    found = MaskFile(path).read('photos/a/1.jpg', SHAPE)
    assert found.masks.dtype == bool and np.array_equal(found.masks, [LEFT, RIGHT])
    assert found.scores.tolist() == [0.25, 1]


def test_polygons_and_what_has_no_mask(write, log):
    path = write(dict(images=[image()], annotations=[
        annotation([SQUARE, [15, 8, 18, 8, 18, 11]]), annotation([[1, 1, 2, 2]]),
        annotation([], bbox=[0, 0, 5, 5])]))
    masks, scores = MaskFile(path).read('1.jpg', SHAPE)
    assert masks[0, 2:6, 3:9].all() and masks[0, 9, 17] and not masks[0, :2].any()
    assert 24 <= masks[0].sum() <= 35 and not masks[1].any()  # a line of two points
    assert len(masks) == 2 and scores is None and 'entries without a mask' in log.text


def test_results_name_pictures_by_ids(write):
    listed = write(dict(images=[image(7, 'b/x.jpg'), image(8, 'b/y.jpg')]), 'images.json')
    path = write([annotation(compressed(LEFT), 7, score=0.5)])
    file = MaskFile(path, listed)
    assert file.read('x.jpg', SHAPE).masks.sum() == LEFT.sum()
    assert len(file.read('y.jpg', SHAPE).masks) == 0  # listed, and nothing found in it
    # without a list: COCO's own names are numbers, and a text is a name
    assert MaskFile(path).find('val2017/000000000007.jpg').name == 7
    named = MaskFile(write([annotation(compressed(LEFT), 'b/x')]))
    assert named.find('x.png').name == 'b/x'


def test_panoptic(tmp_path):
    ids = np.where(RIGHT, 300, np.where(LEFT, 2, 0))
    masks, scores = MaskFile(write_panoptic(tmp_path, 'p', ids)).read('1.jpg', SHAPE)
    assert np.array_equal(masks, [LEFT & ~RIGHT, RIGHT]) and scores is None


def test_npz(write):
    labels = np.where(RIGHT, 9, np.where(LEFT, 4, 0)).astype(np.uint16)
    file = MaskFile(write({'a/1.jpg': np.stack([LEFT, RIGHT]).astype(np.uint8),
                           'a/1.jpg:scores': np.array([0.5, 0.75]), '2': labels}, 'm.npz'))
    masks, scores = file.read('1.jpg', SHAPE)
    assert np.array_equal(masks, [LEFT, RIGHT]) and scores.tolist() == [0.5, 0.75]
    assert masks.dtype == bool
    masks, scores = file.read('x/2.png', SHAPE)
    assert np.array_equal(masks, [LEFT & ~RIGHT, RIGHT]) and scores is None


def test_folders_of_files_are_those_of_pictures(tmp_path, write):
    ids = np.where(LEFT, 1, 0)
    write_panoptic(tmp_path / 'out/a', '1_panoptic', ids)
    write_panoptic(tmp_path / 'out/b', '1_panoptic', np.where(RIGHT, 1, 0))
    write(dict(image={}, segments=[], vocabulary={}), 'out/a/1_segments.json')  # none of masks
    file = MaskFile(tmp_path / 'out')
    for folder, mask in ('a', LEFT), ('b', RIGHT):
        assert np.array_equal(file.read(f'photos/{folder}/1.jpg', SHAPE).masks, [mask])
    with pytest.raises(ValueError, match=r'(?s)2 pictures of this name.*out/a/1.jpg.*out/b'):
        file.find('photos/c/1.jpg')
    write(dict(images=[image(name='1.jpg')], annotations=[annotation(compressed(LEFT))]),
          'out/a/1_instances.json')
    with pytest.raises(ValueError, match='twice'):
        MaskFile(tmp_path / 'out')
    assert len(MaskFile(tmp_path / 'out' / '**' / '*_panoptic.json').files) == 2


def test_which_picture_is_meant(write):
    names = ['a/1.jpg', 'b/1.jpg', '2.png', '2.jpg', r'c\3.jpg']
    file = MaskFile(write(dict(
        images=[image(i, name) for i, name in enumerate(names)], annotations=[])))
    for picture, name in (
            ('/data/x/a/1.jpg', 'a/1.jpg'), ('b/1.jpg', 'b/1.jpg'), ('photos/2.png', '2.png'),
            ('photos/2.jpg', '2.jpg'), ('d/c/3.jpg', r'c\3.jpg'), ('http://h/a/1.jpg', 'a/1.jpg')):
        assert file.find(picture).name == name
    for picture in '1.jpg', '2.webp':
        with pytest.raises(ValueError, match='2 pictures of this name'):
            file.find(picture)


def test_a_picture_that_is_not_there(write):
    file = MaskFile(write(dict(images=[image(name='val/street_12.jpg')], annotations=[])))
    with pytest.raises(ValueError, match=r"street_21.jpg: .*no picture .*it has 'val/street_12"):
        file.find('street_21.jpg')


def test_masks_of_another_size(write, tmp_path):
    file = MaskFile(write(dict(images=[image()], annotations=[annotation(compressed(LEFT))])))
    turned = Image.new('RGB', (WIDTH, HEIGHT))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / '1.jpg', exif=exif)
    with pytest.raises(ValueError, match=r'12 x 20 pixels, its masks in .* 20 x 12.*orientation 6'):
        file.read(str(tmp_path / '1.jpg'), (WIDTH, HEIGHT))


OTHER = np.zeros((5, 5), bool)


@pytest.mark.parametrize(('content', 'message'), [
    ([annotation(dict(size=[12, 20], counts='06'))], 'compressed run lengths'),
    ([annotation(dict(size=[12, 20], counts=[3, 4]))], 'do not add up to the 240 pixels'),
    ([annotation(dict(counts='06'))], "'size' None"),
    ([annotation(dict(size=[12, 20], counts=None))], "'counts'"),
    ([annotation('mask.png')], "the segmentation is 'mask.png'"),
    ([annotation([[1, 2, 3]])], 'a polygon is'),
    ([annotation([[1, 2, 3, float('nan')]])], 'finite'),
    ([dict(segmentation=[SQUARE])], "no 'image_id'"),
    ([annotation([SQUARE], score=1.5)], "'score' is 1.5"),
    ([annotation([SQUARE], score=1), annotation([SQUARE])], "1 of 2 masks have a 'score'"),
    ([annotation(None, bbox=[0, 0, 1, 1])], 'results of boxes'),
    ([], 'masks of no picture'),
    (dict(images=[image()], annotations=[annotation(compressed(OTHER))]), r'\[5, 5\].*\[12, 20\]'),
    (dict(images=[image()], annotations=[annotation([[0, 0, 500, 0, 500, 9]])]),
     'from x = 0 to 500, and the picture has 20 x 12'),
    (dict(images=[image()], annotations=[annotation([SQUARE], '1')]), 'no image with this id'),
    (dict(images=[image(), image(2)], annotations=[]), 'twice'),
    (dict(annotations=[]), "no list 'images'"), ('{"images": [', 'is no JSON'),
    (3, 'has no masks')])
def test_bad_json(write, content, message):
    with pytest.raises(ValueError, match=f'(?s)masks.*{message}'):
        MaskFile(write(content))


@pytest.mark.parametrize(('content', 'message'), [
    ({'1': np.zeros((2, 3, 4, 5), bool)}, 'has the shape'),
    ({'1': np.zeros((3, 4))}, "is of kind 'f'"),
    ({'1': np.array([None])}, "is of kind 'O'"),
    ({'1': np.zeros((2, 3, 4), bool), '1:scores': np.zeros(3)}, r'scores of .1. have the shape'),
    ({'1:scores': np.zeros(3)}, 'of no picture')])
def test_bad_npz(write, content, message):
    with pytest.raises(ValueError, match=message):
        MaskFile(write(content, 'm.npz'))


def test_other_bad_files(tmp_path, write):
    path = tmp_path / 'm.npz'
    path.write_bytes(b'PK no archive')
    with pytest.raises(ValueError, match=r'no file of numpy\.savez'):
        MaskFile(path)
    scores = write({'1': np.stack([LEFT]), '1:scores': np.array([2.0])}, 'scores.npz')
    with pytest.raises(ValueError, match='not all from 0 to 1'):
        MaskFile(scores).read('1.jpg', SHAPE)
    with pytest.raises(FileNotFoundError, match='no such file of masks'):
        MaskFile(tmp_path / 'none.json')
    panoptic = write_panoptic(tmp_path / 'p', 'p', np.where(LEFT, 1, 0))
    (tmp_path / 'p/p.png').write_bytes(b'no picture')
    with pytest.raises(ValueError, match='cannot be read'):
        MaskFile(panoptic)
    (tmp_path / 'p/p.png').unlink()
    with pytest.raises(ValueError, match='its map'):
        MaskFile(panoptic)
