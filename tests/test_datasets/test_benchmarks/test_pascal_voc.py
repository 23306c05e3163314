"""PASCAL VOC: indices and not colours, borders, background, augmented maps, going on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmodise.datasets.converters.pascal_voc import prepare_pascal_voc

from .conftest import (
    answered_instances,
    build,
    count_pixels,
    read_answers,
    read_instances,
    trees,
    write_image,
)

#: A row of values: background, aeroplane, car, tvmonitor, border.
VALUES = np.array([[0, 0, 1, 7, 20, 255]], np.uint8)
VOID = 255


def write_indexed(path, values):
    """A PNG with a palette in which colours are no indices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values, 'P')
    image.putpalette([(i * 37 + k * 91) % 256 for i in range(256) for k in range(3)])
    image.save(path)


@pytest.fixture
def voc(tmp_path):
    root = tmp_path / 'VOCdevkit/VOC2012'
    maps = dict(a=VALUES, b=VALUES, empty=np.zeros((2, 3), np.uint8))
    for stem, values in maps.items():
        write_image(root / f'JPEGImages/{stem}.jpg', (*values.shape, 3))
        write_indexed(root / f'SegmentationClass/{stem}.png', values)
        write_image(root / f'SegmentationClassAug/{stem}.png', np.where(values == 255, 7, values))
    write_image(root / 'JPEGImages/more.jpg', (4, 5, 3))
    write_image(root / 'SegmentationClassAug/more.png', np.full((4, 5), 3, np.uint8))
    write_image(root / 'JPEGImages/unlabelled.jpg', (4, 5, 3))
    lists = root / 'ImageSets/Segmentation'
    lists.mkdir(parents=True)
    (lists / 'train.txt').write_text('a\n')
    (lists / 'val.txt').write_text('b\nempty\n')
    return root


def data_set(out, classes, folder='validation'):
    return build(f'PascalVOC{classes}Dataset', out, data_prefix=dict(
        img_path=f'images/{folder}', seg_map_path=f'annotations_pascal{classes}/{folder}'))


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_background_is_a_class_of_21_and_void_of_20(voc, tmp_path):
    done = prepare_pascal_voc(tmp_path, tmp_path / 'out')
    assert done.counts == dict(train=1, val=2)
    maps = done.out / 'annotations_pascal20/validation', done.out / 'annotations_pascal21/training'
    assert read(maps[0] / 'b.png').tolist() == [[255, 255, 0, 6, 19, 255]]
    assert read(maps[1] / 'a.png').tolist() == VALUES.tolist()
    assert (read(maps[0] / 'empty.png') == 255).all()
    lines = {n: (done.out / f'annotations_pascal{n}/classes.txt').read_text().split('\n')
             for n in (20, 21)}
    assert lines[20][0] == '0:aeroplane' and lines[21][:2] == ['0:background', '1:aeroplane']
    small, large = data_set(done.out, 20), data_set(done.out, 21)
    assert [small.get_data_info(i)['img_id'] for i in range(len(small))] == ['b', 'empty']
    assert count_pixels(small, 0) == ({'aeroplane': 1, 'car': 1, 'tvmonitor': 1}, 3)
    assert count_pixels(small, 1) == ({}, 6)
    assert count_pixels(large, 0) == (
        {'background': 2, 'aeroplane': 1, 'car': 1, 'tvmonitor': 1}, 1)
    assert count_pixels(large, 1) == ({'background': 6}, 0)


def test_words_of_the_classes(voc, tmp_path):
    out = prepare_pascal_voc(tmp_path, tmp_path / 'out', split='val').out
    text = data_set(out, 21)[0]['data_samples'].text
    background = text[0].split(', ')
    assert len(text) == 21 and len(background) == 40
    assert background[:3] == ['background', 'bag', 'bed'] and background[-1] == 'wood'
    assert not {'table', 'person', 'tv'} & set(background)
    assert text[11] == 'dining table' and text[20].startswith('tv')
    assert text[1:] == data_set(out, 20)[0]['data_samples'].text


def test_augmented_maps_have_more_pictures_and_no_border(voc, tmp_path):
    done = prepare_pascal_voc(voc.parent, tmp_path / 'out', augmented=True)
    assert done.counts == dict(train=2, val=2)
    assert sorted(path.stem for path in (done.out / 'images/training').iterdir()) == ['a', 'more']
    pixels, void = count_pixels(data_set(done.out, 21), 0)
    assert (pixels['car'], void) == (2, 0)


def test_what_is_whole_is_not_written_again(voc, tmp_path):
    done = prepare_pascal_voc(voc, tmp_path / 'out', workers=2)
    assert done.new == 3 * 3 + 2
    assert not list(done.out.glob('*.json')), 'there is no SegmentationObject'
    half = done.out / 'annotations_pascal21/validation/b.png'
    classes = done.out / 'annotations_pascal20/classes.txt'
    content = half.read_bytes()
    half.write_bytes(content[:len(content) // 2])
    classes.write_text(classes.read_text().replace('aeroplane', 'aeroplane,plane'))
    again = prepare_pascal_voc(voc, tmp_path / 'out')
    assert again.new == 1 and half.read_bytes() == content
    assert 'aeroplane,plane' in classes.read_text(), "a user's words stay"


def write_objects(root, values):
    """Objects of ``b``, one row of values; the other pictures have none."""
    write_indexed(root / 'SegmentationObject/b.png', np.array([values], np.uint8))
    for stem, shape in dict(a=VALUES.shape, empty=(2, 3)).items():
        write_indexed(root / f'SegmentationObject/{stem}.png', np.zeros(shape, np.uint8))


def test_objects_become_instances(voc, tmp_path):
    """Numbers are of objects and not of classes; 255 is no object."""
    write_objects(voc, [0, 0, 2, 1, 3, 255])
    done = prepare_pascal_voc(voc, tmp_path / 'out')
    assert done.new == 3 * 3 + 2 + 2 and not done.findings
    found = read_instances(done.out / 'pascal_voc_instance_val.json')
    assert found == {'b': [('aeroplane', 1, [2, 0, 1, 1]), ('car', 1, [3, 0, 1, 1]),
                           ('tvmonitor', 1, [4, 0, 1, 1])], 'empty': []}
    assert prepare_pascal_voc(voc, tmp_path / 'out').new == 0
    assert prepare_pascal_voc(voc, tmp_path / 'more', augmented=True).new == 4 * 3 + 2
    write_objects(voc, [0, 1, 1, 1, 1, 255])
    note, = prepare_pascal_voc(voc, tmp_path / 'other', split='val').findings
    assert 'objects with pixels of several classes' in note.message('Note')


def test_objects_that_are_none_are_refused(voc, tmp_path):
    write_objects(voc, [4, 0, 0, 0, 0, 255])
    with pytest.raises(ValueError, match=r'Object/b\.png: the object 4 has no pixel of a class'):
        prepare_pascal_voc(voc, tmp_path / 'out')
    write_objects(voc, [0, 0, 1, 0, 0, 255])
    (tmp_path / 'out/pascal_voc_instance_val.json').write_text('{"info": {}}')
    with pytest.raises(ValueError, match=r'prepare_pascal_voc` did not make it. It is not overwr'):
        prepare_pascal_voc(voc, tmp_path / 'out', split='val')
    (voc / 'SegmentationObject/a.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of 1 maps of objects are missing'):
        prepare_pascal_voc(voc, tmp_path / 'third', split='train')


def test_what_is_not_voc_is_refused(voc, tmp_path):
    write_indexed(voc / 'SegmentationClass/a.png', VALUES + 1)
    write_indexed(voc / 'SegmentationClass/empty.png', np.zeros((3, 2), np.uint8))
    with pytest.raises(ValueError) as error:
        prepare_pascal_voc(tmp_path, tmp_path / 'out')
    text = str(error.value)
    assert 'a.png: 1 pixels have the value 21; expected indices from 0 to 20' in text
    assert 'empty.png 2 x 3. They must be the same' in text
    assert '2 of 3 cannot be prepared' in text
    write_image(voc / 'SegmentationClass/a.png', np.array([[[128, 0, 0]] * 6], np.uint8))
    with pytest.raises(ValueError, match=r'a\.png \(PNG, RGB\): expected one number a pixel'):
        prepare_pascal_voc(tmp_path, tmp_path / 'out', split='train')
    (voc / 'ImageSets/Segmentation/train.txt').unlink()
    with pytest.raises(ValueError, match=r'21/validation/b\.png is there, and holds something el'):
        prepare_pascal_voc(voc, tmp_path / 'out', augmented=True)
    assert prepare_pascal_voc(voc, tmp_path / 'aug', augmented=True).counts == dict(val=2)
    (voc / 'JPEGImages/b.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of 2 pictures are missing.*b\.jpg'):
        prepare_pascal_voc(tmp_path, tmp_path / 'out', split='val')
    with pytest.raises(FileNotFoundError, match='VOC2012 is not there'):
        prepare_pascal_voc(tmp_path / 'out')


def test_lists_of_windows_are_read_and_a_picture_has_one_split(voc, tmp_path):
    lists = voc / 'ImageSets/Segmentation'
    (lists / 'val.txt').write_bytes(b'\xef\xbb\xbfb\r\nempty\r\n')
    assert prepare_pascal_voc(voc, tmp_path / 'out').counts == dict(train=1, val=2)
    (lists / 'train.txt').write_text('a\nb\n')
    with pytest.raises(ValueError, match=r'both name 1 pictures, such as b'):
        prepare_pascal_voc(voc, tmp_path / 'other')


def test_the_command_tells_what_comes_next(voc, tmp_path, load_tool, capsys):
    command = load_tool('prepare_pascal_voc')
    options = [str(tmp_path), '--out', str(tmp_path / 'out'), '--split', 'val', '--workers', '1']
    command.main(options)
    said = capsys.readouterr().out
    assert '2 val; 8 files are new' in said and 'mim test mmodise configs/' in said
    command.main(options)
    assert 'all was done already' in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r'prepare_pascal_voc: .*VOC2012 is not there'):
        command.main([str(tmp_path / 'out')])


@trees('pascal_voc')
@pytest.mark.parametrize('augmented', [False, True])
def test_answers(tree, tmp_path, augmented):
    answers = read_answers(tree)
    done = prepare_pascal_voc(tree, tmp_path, augmented=augmented)
    if not augmented:
        assert done.counts == {key: answers['images_per_split'][key] for key in ('train', 'val')}
        found = [read_instances(tmp_path / f'pascal_voc_instance_{split}.json')
                 for split in ('train', 'val')]
        assert {**found[0], **found[1]} == {
            Path(item['file']).stem: answered_instances(item) for item in answers['images']
            if 'instances' in item}
    for split, folder in (('train', 'training'), ('val', 'validation')):
        mine = {Path(item['file']).stem: item for item in answers['images']
                if item['split'] == split}
        for classes in (20, 21):
            dataset = data_set(tmp_path, classes, folder)
            expected = answers['evaluated'][f'voc{classes}']
            assert list(dataset.metainfo['classes']) == expected['order']
            assert len(dataset) == len(mine)
            for index in range(len(dataset)):
                item = mine[dataset.get_data_info(index)['img_id']]
                found, void = count_pixels(dataset, index, VOID)
                if not augmented:
                    assert found == item[f'voc{classes}']['pixels']
                    assert void == item[f'voc{classes}']['void']
                elif classes == 21:
                    assert (found, void) == (item['aug']['pixels'], 0)
