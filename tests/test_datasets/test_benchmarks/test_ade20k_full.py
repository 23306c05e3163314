"""ADE20K's full set: coding of classes, parts, nested folders, shrinking, 16 bits, going on."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmodise.datasets.benchmarks.ade20k_full import ADE20K_847
from mmodise.datasets.converters.ade20k_full import prepare_ade20k_full
from mmodise.datasets.converters.prepared_files import FOLDERS

from .conftest import (
    answered_instances,
    build,
    count_pixels,
    read_answers,
    read_instances,
    trees,
    write_image,
)

VOID = 65535
#: Numbers of the data set and their labels: nothing, wall, shop window (not in the list), door,
#: double door, the last of the list, and a class whose label is 255.
NUMBERS = np.array([[0, 2978, 2346, 774, 783, 3148, ADE20K_847['pier']]])
LABELS = [VOID, 0, VOID, 20, 64, 846, 255]


def write_coded(path, numbers, instance=7):
    """The map of a picture: R and G tell the class, B the instance."""
    colours = np.stack([numbers // 256 * 10, numbers % 256, numbers * 0 + instance], axis=-1)
    write_image(path, colours.astype(np.uint8))


def write_sample(root, scene, stem, numbers, objects=()):
    folder = root / 'images/ADE' / scene
    write_image(folder / f'{stem}.jpg', (*numbers.shape, 3))
    write_coded(folder / f'{stem}_seg.png', numbers)
    write_coded(folder / f'{stem}_parts_1.png', numbers * 0 + ADE20K_847['wheel'])
    write_image(folder / stem / f'instance_000_{stem}.png', numbers.shape)
    (folder / f'{stem}.json').write_text(json.dumps(dict(annotation=dict(object=[
        dict(name=name, name_ndx=number) for name, number in objects]))))
    return folder


@pytest.fixture
def ade(tmp_path):
    root = tmp_path / 'ADE20K_2021_17_01'
    write_sample(root, 'training/urban/street', 'ADE_train_00000001', NUMBERS,
                 [('double door', 783), ('rim', 2121)])
    write_sample(root, 'validation/home/kitchen/deep', 'ADE_val_00000001', NUMBERS)
    return root


def data_set(out, folder='validation'):
    return build('ADE20KFullDataset', out, data_prefix=dict(
        img_path=f'images_detectron2/{folder}', seg_map_path=f'annotations_detectron2/{folder}'))


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_list():
    assert len(ADE20K_847) == len(set(ADE20K_847.values())) == 847
    names = list(ADE20K_847)
    assert (names[0], names[64], names[423], names[846]) == (
        'wall', 'double door', 'wheel', 'adding machine, totalizer, totaliser')
    assert not {3050, 320, 2346} & set(ADE20K_847.values())
    by_number = sorted((number, name) for name, number in ADE20K_847.items() if number < 3095)
    alphabet = [name.casefold() for _, name in by_number]
    assert alphabet == sorted(alphabet), 'the data set numbers its names by the alphabet'


def test_labels_are_those_of_the_field(ade, tmp_path):
    done = prepare_ade20k_full(tmp_path)
    assert (done.out, done.counts, done.new) == (ade, dict(train=1, val=1), 5)
    labels = read(ade / 'annotations_detectron2/validation/ADE_val_00000001.tif')
    assert labels.dtype == np.uint16 and labels.tolist() == [LABELS]
    dataset = data_set(ade)
    pixels, void = count_pixels(dataset, 0, VOID)
    assert (sorted(pixels.values()), void) == ([1] * 5, 2)
    assert pixels['pier'] == pixels['double door'] == pixels['door'] == 1
    text = dataset[0]['data_samples'].text
    assert len(text) == 847 and text[64] == 'double door' and len(set(text)) == 847
    lines = (ade / 'annotations_detectron2/classes.txt').read_text().splitlines()
    assert lines[1] == '1:building,edifice' and len(lines) == 847


@pytest.mark.parametrize(('size', 'expected'), [
    ((528, 600), (512, 582)), ((601, 513), (600, 512)), ((512, 900), (512, 900)),
    ((600, 600), (512, 512)), ((900, 500), (900, 500)), ((1537, 1025), (768, 512))])
def test_large_pictures_are_made_smaller(tmp_path, size, expected):
    """Maps by the nearest pixel: no class comes in between."""
    numbers = np.zeros(size, int)
    numbers[:, size[1] // 2:] = 2978
    write_sample(tmp_path, 'training/a', 'ADE_train_00000002', numbers)
    out = prepare_ade20k_full(tmp_path, tmp_path / 'out', split='train').out
    labels = read(out / 'annotations_detectron2/training/ADE_train_00000002.tif')
    picture = read(out / 'images_detectron2/training/ADE_train_00000002.jpg')
    assert labels.shape == picture.shape[:2] == expected
    assert np.unique(labels).tolist() == [0, VOID]
    assert abs(np.count_nonzero(labels == 0) / labels.size - 0.5) < 0.002


def test_what_is_whole_is_not_written_again(ade, tmp_path):
    large = np.full((520, 530), 2978)
    write_sample(ade, 'training/a', 'ADE_train_00000002', large)
    assert prepare_ade20k_full(ade, tmp_path / 'out', workers=2).new == 7
    halves = [tmp_path / 'out/images_detectron2/training/ADE_train_00000002.jpg',
              tmp_path / 'out/annotations_detectron2/validation/ADE_val_00000001.tif']
    contents = [path.read_bytes() for path in halves]
    for path, content in zip(halves, contents, strict=True):
        path.write_bytes(content[:len(content) // 2])
    assert prepare_ade20k_full(ade, tmp_path / 'out').new == 2
    assert [path.read_bytes() for path in halves] == contents
    assert prepare_ade20k_full(ade, tmp_path / 'out').new == 0


def test_maps_of_another_kind_are_refused(ade, tmp_path):
    folder = ade / 'images/ADE/training/urban/street'
    write_image(folder / 'ADE_train_00000001_seg.png', NUMBERS.astype(np.uint8))
    write_coded(ade / 'images/ADE/validation/home/kitchen/deep/ADE_val_00000001_seg.png',
                NUMBERS.T)
    with pytest.raises(ValueError) as error:
        prepare_ade20k_full(tmp_path)
    text = str(error.value)
    assert 'ADE_train_00000001_seg.png (PNG, grey): expected a map whose red' in text
    assert 'ADE_val_00000001_seg.png 1 x 7. They must be the same' in text
    write_coded(folder / 'ADE_train_00000001_seg.png', np.full((1, 7), 3689))
    with pytest.raises(ValueError, match='7 pixels are of class 3689; expected'):
        prepare_ade20k_full(tmp_path, split='train')
    assert not list((ade / 'annotations_detectron2').rglob('*.tif'))


def test_pictures_are_turned_before_they_are_made_smaller(ade, tmp_path):
    """A map of the size that is stored is refused, and not put below a picture that is turned."""
    numbers = np.full((600, 700), 2978)
    folder = write_sample(ade, 'training/a', 'ADE_train_00000002', numbers)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((700, 600, 3), np.uint8)).save(
        folder / 'ADE_train_00000002.jpg', exif=exif)
    prepare_ade20k_full(ade, tmp_path / 'out', split='train')
    assert read(tmp_path / 'out/images_detectron2/training/ADE_train_00000002.jpg').shape == (
        512, 597, 3)
    write_coded(folder / 'ADE_train_00000002_seg.png', numbers.T)
    with pytest.raises(ValueError, match=r'00000002\.jpg has 700 x 600 pixels.*EXIF'):
        prepare_ade20k_full(ade, tmp_path / 'other', split='train')
    (folder / 'ADE_train_00000002.jpg').unlink()
    (finding, ) = prepare_ade20k_full(ade, tmp_path / 'third', split='train').findings
    assert finding.what == 'maps without a picture'


def test_another_release_and_missing_files_are_refused(ade, tmp_path):
    folder = write_sample(ade, 'training/x', 'ADE_train_00000003', NUMBERS,
                          [('sofa', 783), ('lamp', 57)])
    with pytest.raises(ValueError, match=r"'sofa' has the number 783, which is 'double door'"):
        prepare_ade20k_full(tmp_path)
    (folder / 'ADE_train_00000003.json').write_text('no JSON')
    folder = write_sample(ade, 'training/y', 'ADE_train_00000001', NUMBERS)
    with pytest.raises(ValueError, match=r'Two pictures have one name: .*street.*/y/'):
        prepare_ade20k_full(tmp_path)
    (folder / 'ADE_train_00000001.jpg').rename(folder / 'ADE_train_00000004.jpg')
    with pytest.raises(FileNotFoundError, match=r'1 of 4 maps are missing.*00000004_seg\.png'):
        prepare_ade20k_full(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'ADE20K_2021_17_01/images is not there'):
        prepare_ade20k_full(tmp_path / 'elsewhere')


def write_objects(ade, *objects):
    """A picture of 6 pixels with objects: name, number, pixels, level and what it is part of."""
    folder = ade / 'images/ADE/training/a'
    stem, said = 'ADE_train_00000002', []
    for index, (name, number, pixels, level, whole) in enumerate(objects):
        mask = f'{stem}/instance_{index:03d}_{stem}.png'
        write_image(folder / mask, np.array([pixels], np.uint8))
        said.append(dict(id=index, name=name, name_ndx=number, instance_mask=mask, parts=dict(
            hasparts=[], ispartof=whole, part_level=level)))
    write_image(folder / f'{stem}.jpg', (1, 6, 3))
    write_coded(folder / f'{stem}_seg.png', np.full((1, 6), 774))
    (folder / f'{stem}.json').write_text(json.dumps(dict(annotation=dict(object=said))))


def test_objects_and_parts_become_instances(ade, tmp_path):
    """What is hidden, 128, is no part of a mask, and an object that is wholly hidden is none."""
    (ade / 'images/ADE/training/urban/street/ADE_train_00000001.json').write_text(
        '{"annotation": {"object": []}}')
    write_objects(
        ade, ('rim', 2122, [255, 0, 0, 0, 0, 0], 2, 2),
        ('door', 774, [255, 255, 128, 0, 0, 0], 0, []),
        ('wheel', 3035, [255, 255, 0, 0, 0, 0], 1, [1]), ('door', 774, [0, 0, 0, 255, 0, 0], 0, []),
        ('wall', 2978, [0, 0, 0, 0, 128, 0], 0, []), ('wheel', 3035, [0, 0, 0, 0, 255, 0], 1, [4]))
    done = prepare_ade20k_full(tmp_path, split='train', instances=True, workers=2)
    assert done.new == 2 * 3 + 1 + 2
    wholes, parts = (ade / f'ade20k_full_{kind}_train.json' for kind in ('instance', 'part'))
    assert read_instances(wholes) == {'ADE_train_00000001': [], 'ADE_train_00000002': [
        ('door', 1, [3, 0, 1, 1]), ('door', 2, [0, 0, 2, 1])]}
    assert read_parts(wholes, parts) == {'ADE_train_00000002': [
        ('rim', 2, 'wheel'), ('wheel', 1, 'door'), ('wheel', 1, None)]}
    image, = (each for each in json.loads(wholes.read_text())['images']
              if each['id'] == 'ADE_train_00000002')
    assert (ade / image['file_name']).is_file()
    assert prepare_ade20k_full(tmp_path, split='train', instances=True).new == 0


def test_objects_that_are_none_are_refused(ade, tmp_path):
    (ade / 'images/ADE/training/urban/street/ADE_train_00000001.json').write_text('{}')
    write_objects(ade, ('door', 774, [255, 7, 7, 0, 0, 0], 0, []))
    with pytest.raises(ValueError) as error:
        prepare_ade20k_full(tmp_path, split='train', instances=True)
    text = str(error.value)
    assert '00000001.json: expected "annotation" with a list "object", each with id, na' in text
    assert '00000002.png: 2 pixels have the value 7; expected 255 for seen' in text


def test_the_command(ade, tmp_path, load_tool, capsys):
    load_tool('prepare_ade20k_full').main([str(tmp_path), '--split', 'val', '--workers', '1'])
    said = capsys.readouterr().out
    assert '1 val; 3 files are new' in said and 'mim test mmodise configs/' in said


@trees('ade20k_full')
def test_answers(tree, tmp_path):
    answers = read_answers(tree)
    done = prepare_ade20k_full(tree, tmp_path, instances=True)
    assert dict(training=done.counts['train'], validation=done.counts['val']) == (
        answers['images_per_split'])
    for folder in ('training', 'validation'):
        mine = {Path(item['file']).stem: item for item in answers['images']
                if item['split'] == folder}
        dataset = data_set(tmp_path, folder)
        assert len(dataset) == len(mine)
        for index in range(len(dataset)):
            sample = dataset[index]['data_samples']
            item = mine[sample.img_id]
            size = item.get('field_resizes_to', item['size'])
            assert list(sample.ori_shape) == size[::-1]
            found, void = count_pixels(dataset, index, VOID)
            if size == item['size']:
                assert (found, void) == (item['pixels'], item['void'])
            else:
                share = size[0] * size[1] / (item['size'][0] * item['size'][1])
                assert found.keys() == item['pixels'].keys()
                for name, count in item['pixels'].items():
                    assert found[name] == pytest.approx(count * share, rel=0.02)
    for used in answers['evaluated']['used']:
        assert ADE20K_847[used['name']] == used['dataset_id']
        assert list(ADE20K_847)[used['label']] == used['name']
    for split, folder in FOLDERS.items():
        files = [tmp_path / f'ade20k_full_{kind}_{split}.json' for kind in ('instance', 'part')]
        wholes, entries = read_instances(files[0]), read_parts(*files)
        for item in answers['images']:
            stem = Path(item['file']).stem
            if item['split'] == folder:
                assert wholes[stem] == answered_instances(item)
                names = [each['name'] for each in (*item['instances'], *item['parts'])]
                assert entries.get(stem, []) == sorted(
                    ((part['name'], part['level'], names[part['of']]) for part in item['parts']),
                    key=str)


def read_parts(wholes, parts):
    """Of each image that has parts: name, level and name of what it is on."""
    contents = [json.loads(path.read_text()) for path in (wholes, parts)]
    names = {entry['id']: entry['name'] for entry in contents[1]['categories']}
    kinds = {entry['id']: names[entry['category_id']]
             for content in contents for entry in content['annotations']}
    found = {}
    for entry in contents[1]['annotations']:
        found.setdefault(entry['image_id'], []).append((
            kinds[entry['id']], entry['part_level'], kinds.get(entry['part_of'])))
    return {image_id: sorted(each, key=str) for image_id, each in found.items()}
