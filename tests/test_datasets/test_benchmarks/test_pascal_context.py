"""PASCAL Context: masks painted in the file's order, ranks, phases, 16 bits, going on."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from scipy.io import savemat

from mmodise.datasets.benchmarks.pascal_context import CONTEXT_59
from mmodise.datasets.converters.pascal_context import prepare_pascal_context

from .conftest import build, count_pixels, read_answers, trees, write_image

VOID, VOID_459 = 255, 65535
SHAPE = 2, 6


def mask(number, image_id, category, columns):
    pixels = np.zeros(SHAPE, np.uint8)
    pixels[:, columns] = 1
    runs = coco_mask.encode(np.asfortranarray(pixels))
    return dict(id=number, image_id=image_id, category_id=CONTEXT_59.get(category, category),
                iscrowd=0, segmentation=dict(size=list(SHAPE), counts=runs['counts'].decode()))


@pytest.fixture
def detail():
    """Masks of two images in turn; the chair is under the table, and nothing is at the end."""
    images = [dict(image_id=i, file_name=f'2008_00000{i}.jpg', width=6, height=2, phase=phase)
              for i, phase in ((1, 'val'), (2, 'train'), (3, 'test'))]
    masks = [mask(1, 1, 'chair', slice(0, 4)), mask(2, 2, 'wood', slice(0, 6)),
             mask(3, 1, 'table', slice(2, 5)), mask(4, 1, 'aeroplane', slice(0, 1))]
    categories = [dict(category_id=number, name=dict(table='diningtable').get(name, name))
                  for name, number in reversed(CONTEXT_59.items()) if name != 'bag']
    return dict(images=images, annos_segmentation=masks, categories=categories)


@pytest.fixture
def context(tmp_path, detail):
    root = tmp_path / 'VOCdevkit/VOC2010'
    for i in (1, 2, 3):
        write_image(root / f'JPEGImages/2008_00000{i}.jpg', (*SHAPE, 3))
    (root / 'trainval').mkdir()
    for i in (1, 2):
        numbers = np.array([[0, 1, 256, 257, 431, 459]] * 2, np.uint16)
        savemat(root / f'trainval/2008_00000{i}.mat', dict(LabelMap=numbers))
    (root / 'trainval_merged.json').write_text(json.dumps(detail))
    (root / 'labels.txt').write_text(''.join(f'{i}: name{i}\n' for i in range(1, 460)))
    (root / 'pascalcontext_val.txt').write_text('2008_000001\n')
    return root


def data_set(out, classes, folder='validation', **settings):
    return build(f'PascalContext{classes}Dataset', out, data_prefix=dict(
        img_path=f'images/{folder}', seg_map_path=f'annotations_ctx{classes}/{folder}'), **settings)


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def rewrite(root, change):
    path = root / 'trainval_merged.json'
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_masks_are_painted_in_the_order_of_the_file(context, tmp_path):
    done = prepare_pascal_context(tmp_path, tmp_path / 'out')
    assert done.counts == dict(train=1, val=1), 'test has no annotation'
    labels = read(done.out / 'annotations_ctx59/validation/2008_000001.png')
    assert labels[1].tolist() == [0, 16, 49, 49, 49, 255]
    assert (read(done.out / 'annotations_ctx59/training/2008_000002.png') == 58).all()
    dataset = data_set(done.out, 59)
    assert count_pixels(dataset, 0) == ({'aeroplane': 2, 'chair': 2, 'table': 6}, 2)
    text = dataset[0]['data_samples'].text
    assert len(text) == 59 and (text[39], text[49]) == ('potted plant', 'table')


def test_459_labels_need_16_bits(context, tmp_path):
    out = prepare_pascal_context(context, tmp_path / 'out', workers=2).out
    labels = read(out / 'annotations_ctx459/validation/2008_000001.tif')
    assert labels.dtype == np.uint16
    assert labels[0].tolist() == [65535, 0, 255, 256, 430, 458]
    dataset = data_set(out, 459)
    pixels, void = count_pixels(dataset, 0, VOID_459)
    assert (pixels, void) == (dict.fromkeys(('name1', 'name256', 'name257', 'name431', 'name459'),
                                            2), 2)
    assert dataset.metainfo['classes'][430] == 'name431'


def test_names_of_459_classes_are_the_users(context, tmp_path):
    out = prepare_pascal_context(context, tmp_path / 'out').out
    path = out / 'annotations_ctx459/classes.txt'
    path.write_text(path.read_text().replace('2:name3\n', '2:air conditioner,aircon\n'))
    assert prepare_pascal_context(context, out).new == 0
    dataset = data_set(out, 459)
    assert dataset.metainfo['classes'][2] == 'air conditioner'
    assert dataset[0]['data_samples'].text[2] == 'air conditioner, aircon'
    path.write_text((context / 'labels.txt').read_text())
    assert data_set(out, 459).metainfo['classes'][::458] == ('name1', 'name459')
    path.write_text('0:accordion\n')
    with pytest.raises(ValueError, match=r'classes\.txt names 1 classes; expected the 459'):
        data_set(out, 459)
    path.unlink()
    with pytest.raises(FileNotFoundError, match='prepare_pascal_context'):
        data_set(out, 459)


def test_each_half_can_be_missing(context, tmp_path):
    json_file = context / 'trainval_merged.json'
    content = json_file.read_text()
    json_file.unlink()
    done = prepare_pascal_context(tmp_path, tmp_path / 'lists')
    assert done.counts == dict(train=1, val=1)
    assert not (tmp_path / 'lists/annotations_ctx59').exists()
    assert (tmp_path / 'lists/annotations_ctx459/validation/2008_000001.tif').exists()
    (context / 'pascalcontext_val.txt').unlink()
    with pytest.raises(FileNotFoundError, match=r'Neither .* nor the list of images'):
        prepare_pascal_context(tmp_path, tmp_path / 'none')
    json_file.write_text(content)
    (context / 'trainval').rename(context / 'elsewhere')
    done = prepare_pascal_context(tmp_path, tmp_path / 'detail', split='val')
    assert done.counts == dict(val=1) and not (tmp_path / 'detail/annotations_ctx459').exists()
    assert [finding.advice for finding in done.findings] == ['PC-459 is left out.']


@pytest.mark.parametrize(('change', 'expected'), [
    (lambda found: found['categories'][0].update(name='stone'), r"458 is 'stone'; .* it is 'wood'"),
    (lambda found: found['annos_segmentation'][0].update(category_id=9), 'category_id 9, which'),
    (lambda found: found['annos_segmentation'][1].pop('image_id'), "an entry lacks 'image_id'"),
    (lambda found: found.pop('categories'), "no list 'categories'"),
    (lambda found: found['annos_segmentation'][2]['segmentation'].update(size=[6, 2]),
     r'image 1 \(2008_000001\.jpg\), annotation 3: the run lengths have'),
    (lambda found: [image.update(phase='test') for image in found['images']], "no image has the"),
])
def test_annotations_of_another_kind_are_refused(context, tmp_path, change, expected):
    rewrite(context, change)
    with pytest.raises(ValueError, match=expected):
        prepare_pascal_context(tmp_path, tmp_path / 'out')


def test_other_oddities_are_told(context, tmp_path):
    def change(content):
        content['categories'].append(dict(category_id=7, name='apple'))
        content['annos_segmentation'] += [
            mask(8, 2, 7, slice(0, 1)), mask(9, 3, 'sky', slice(0, 1)),
            mask(10, 77, 'sky', slice(0, 1))]
        content['annos_segmentation'][:] = [
            found for found in content['annos_segmentation'] if found['image_id'] != 1]
    rewrite(context, change)
    done = prepare_pascal_context(tmp_path, tmp_path / 'out')
    assert {finding.what for finding in done.findings} == {
        'categories that are none of the 59', 'images without a mask',
        'images of no split that have masks', "annotations of images that 'images' does not list"}
    assert (read(done.out / 'annotations_ctx59/validation/2008_000001.png') == VOID).all()
    labels = read(done.out / 'annotations_ctx59/training/2008_000002.png')
    assert labels[0].tolist() == [255, *[58] * 5]


def test_broken_labels_are_named(context, tmp_path):
    path = context / 'trainval/2008_000002.mat'
    savemat(path, dict(LabelMap=np.full(SHAPE, 460, np.uint16)))
    with pytest.raises(ValueError, match=r'2\.mat: 12 pixels have the value 460'):
        prepare_pascal_context(tmp_path, tmp_path / 'out')
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match=r'2\.mat cannot be read'):
        prepare_pascal_context(tmp_path, tmp_path / 'out')
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of 2 files of labels .*2\.mat'):
        prepare_pascal_context(tmp_path, tmp_path / 'out')
    (context / 'labels.txt').write_text('1: accordion\n')
    with pytest.raises(ValueError, match=r'labels\.txt: expected 459 lines'):
        prepare_pascal_context(tmp_path, tmp_path / 'out', split='val')


def test_lists_of_windows_and_images_that_stand_twice(context, tmp_path):
    rewrite(context, lambda found: found['images'].append(found['images'][0]))
    with pytest.raises(ValueError, match=r"'images' lists 2008_00000\d\.jpg 2 times"):
        prepare_pascal_context(context, tmp_path / 'out')
    (context / 'trainval_merged.json').unlink()
    path = context / 'pascalcontext_val.txt'
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes().replace(b'\n', b'\r\n'))
    assert prepare_pascal_context(context, tmp_path / 'out').counts == dict(train=1, val=1)
    path.write_text('2008_000001\n2008_000077\n')
    with pytest.raises(FileNotFoundError, match=r'1 of 2 files of labels that .*val\.txt names'):
        prepare_pascal_context(context, tmp_path / 'out')


def test_the_command(context, tmp_path, load_tool, capsys):
    load_tool('prepare_pascal_context').main(
        [str(tmp_path), '--out', str(tmp_path / 'out'), '--workers', '1'])
    said = capsys.readouterr().out
    assert '1 train, 1 val; 8 files are new' in said and 'mim test mmodise configs/' in said


@trees('pascal_context')
def test_answers(tree, tmp_path):
    answers = read_answers(tree)
    done = prepare_pascal_context(tree, tmp_path)
    assert done.counts == {key: answers['images_per_split'][key] for key in ('train', 'val')}
    for split, folder in (('train', 'training'), ('val', 'validation')):
        mine = {Path(item['file']).stem: item for item in answers['images']
                if item['split'] == split}
        for classes, void in ((59, VOID), (459, VOID_459)):
            dataset = data_set(tmp_path, classes, folder)
            assert len(dataset) == len(mine)
            for index in range(len(dataset)):
                item = mine[dataset.get_data_info(index)['img_id']][f'context{classes}']
                assert count_pixels(dataset, index, void) == (item['pixels'], item['void'])
    assert list(data_set(tmp_path, 59).metainfo['classes']) == (
        answers['evaluated']['context59']['order'])
    assert [*CONTEXT_59.values()] == answers['evaluated']['context59']['dataset_ids']
    names = data_set(tmp_path, 459).metainfo['classes']
    for name, label in answers['evaluated']['context459']['labels_used'].items():
        assert names[label] == name
