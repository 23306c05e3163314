"""ADE20K-150: stuff first and instances over it, ids and names of three scripts, going on."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mmodise.datasets.benchmarks.ade20k_150 import STUFF_IDS, THING_IDS, ADE20KPanopticBenchmark
from mmodise.datasets.converters.ade20k_150 import prepare_ade20k_150

from .conftest import build, count_pixels, read_answers, trees, write_image

# Values of the semantic maps, from 1, and categories of the maps of instances.
WALL, WINDOW, PERSON, ROAD, GRASS, SKYSCRAPER, PLANE = 1, 9, 13, 7, 10, 49, 91
WINDOW_INSTANCE, PLANE_INSTANCE = 2, 59
CLASSES = np.array([[WALL, WALL, GRASS, WINDOW, PERSON, 0],
                    [ROAD, SKYSCRAPER, SKYSCRAPER, PLANE, PLANE, 0]], np.uint8)


def objects(*entries, shape=CLASSES.shape):
    """A map of instances: category, number and columns (row 0) of each."""
    pixels = np.zeros((*shape, 3), np.uint8)
    for category, number, row, columns in entries:
        pixels[row, columns] = category, number, 0
    return pixels


OBJECTS = objects((WINDOW_INSTANCE, 7, 0, slice(2, 4)), (PLANE_INSTANCE, 2, 1, slice(3, 4)),
                  (PLANE_INSTANCE, 3, 1, slice(4, 6)))


@pytest.fixture
def ade(tmp_path):
    root = tmp_path / 'ADEChallengeData2016'
    nothing = np.zeros((3, 4), np.uint8), np.zeros((3, 4, 3), np.uint8)
    for stem, (classes, instances) in dict(
            ADE_val_00000001=(CLASSES, OBJECTS), ADE_val_00000002=nothing,
            ADE_train_00000001=(CLASSES, OBJECTS)).items():
        folder = 'validation' if 'val' in stem else 'training'
        write_image(root / f'images/{folder}/{stem}.jpg', (*classes.shape, 3))
        write_image(root / f'annotations/{folder}/{stem}.png', classes)
        write_image(root / f'annotations_instance/{folder}/{stem}.png', instances)
    return root


def read_json(path):
    return json.loads(path.read_text())


def panoptic(out, root, split='val', folder='validation', **settings):
    return build('ADE20KPanopticBenchmark', root, load='LoadPanopticAnnotations',
                 ann_file=str(out / f'ade20k_panoptic_{split}.json'), data_prefix=dict(
                     img=f'images/{folder}', seg=str(out / f'ade20k_panoptic_{split}')), **settings)


def semantic(root, folder='validation'):
    return build('ADE20KSemanticBenchmark', root, data_prefix=dict(
        img_path=f'images/{folder}', seg_map_path=f'annotations/{folder}'))


def segments_of(dataset, index, content):
    """Of each segment: name, area and box in the PNG, and area and box in the JSON."""
    info = dataset.get_data_info(index)
    said = {annotation['image_id']: annotation for annotation in content['annotations']}
    entries = {each['id']: each for each in said[info['img_id']]['segments_info']}
    ids = np.asarray(Image.open(info['seg_map_path'])).astype(int) @ [1, 256, 65536]
    found = []
    for segment in info['segments_info']:
        rows, columns = np.nonzero(ids == segment['id'])
        box = [int(columns.min()), int(rows.min()), int(np.ptp(columns)) + 1,
               int(np.ptp(rows)) + 1] if len(rows) else None
        found.append((dataset.metainfo['classes'][segment['category']], len(rows), box,
                      entries[segment['id']]['area'], entries[segment['id']]['bbox']))
    return sorted(found, key=str), int((ids == 0).sum())


def test_instances_cover_stuff_and_areas_are_from_before(ade, tmp_path):
    done = prepare_ade20k_150(tmp_path)
    assert (done.out, done.counts) == (ade, dict(train=1, val=2))
    content = read_json(ade / 'ade20k_panoptic_val.json')
    found, void = segments_of(panoptic(ade, ade), 0, content)
    assert found == [
        ('airplane', 1, [3, 1, 1, 1], 1, [3, 1, 1, 1]),
        ('airplane', 2, [4, 1, 2, 1], 2, [4, 1, 2, 1]),
        ('grass', 0, None, 1, [2, 0, 1, 1]),
        ('road, route', 1, [0, 1, 1, 1], 1, [0, 1, 1, 1]),
        ('skyscraper', 2, [1, 1, 2, 1], 2, [1, 1, 2, 1]),
        ('wall', 2, [0, 0, 2, 1], 2, [0, 0, 2, 1]),
        ('window', 2, [2, 0, 2, 1], 2, [2, 0, 2, 1])]
    assert void == 2, 'a person without an instance, and "other" that no instance covers'
    assert content['annotations'][1]['segments_info'] == []
    assert [image['id'] for image in content['images']] == ['ADE_val_00000001', 'ADE_val_00000002']


def test_ids_and_names_are_detectron2s(ade):
    prepare_ade20k_150(ade)
    content = read_json(ade / 'ade20k_panoptic_val.json')
    names = {entry['id']: (entry['name'], entry['isthing']) for entry in content['categories']}
    assert (names[0], names[8], names[90], names[149]) == (
        ('wall', 0), ('window ', 1), ('plane', 1), ('flag', 1))
    assert sum(flag for _, flag in names.values()) == 100 and len(names) == 150
    entries = content['annotations'][0]['segments_info']
    assert [entry['category_id'] for entry in entries] == [0, 6, 9, 48, 90, 90, 8]
    assert len({entry['id'] for entry in entries}) == 7, 'road and skyscraper are told apart'
    instances = read_json(ade / 'ade20k_instance_val.json')
    assert [entry['category_id'] for entry in instances['annotations']] == [90, 90, 8]
    assert [entry['id'] for entry in instances['categories']] == list(THING_IDS)
    first = instances['annotations'][0]
    assert (first['image_id'], first['area'], first['bbox']) == (
        'ADE_val_00000001', 1, [3, 1, 1, 1])
    mask = coco_mask.decode(first['segmentation'])
    assert mask.tolist() == (OBJECTS[..., 1] == 2).astype(int).tolist()


def test_semantic_truth_is_of_the_semantic_maps(ade):
    pixels, void = count_pixels(semantic(ade), 0)
    assert (pixels['person'], pixels['window'], pixels['airplane'], void) == (1, 1, 2, 2)
    assert list(pixels) == [name for name in ADE20KPanopticBenchmark.METAINFO['classes']
                            if name in pixels], 'things first'
    assert count_pixels(semantic(ade), 1) == ({}, 12)
    reduced = np.where(CLASSES == 0, 255, CLASSES - 1)
    folder = ade / 'annotations_detectron2/validation'
    write_image(folder / 'ADE_val_00000001.png', reduced)
    with pytest.raises(FileNotFoundError, match=r'1 of 2 maps .*/ADE_val_00000002\.png'):
        len(build('ADE20KSemanticBenchmark', ade, zero_is_void=False, data_prefix=dict(
            img_path='images/validation', seg_map_path=str(folder.relative_to(ade)))))
    write_image(folder / 'ADE_val_00000002.png', np.full_like(reduced, 255))
    dataset = build('ADE20KSemanticBenchmark', ade, zero_is_void=False, data_prefix=dict(
        img_path='images/validation', seg_map_path='annotations_detectron2/validation'))
    assert count_pixels(dataset, 0) == (pixels, void)


def test_a_label_of_a_thing_and_of_stuff(ade):
    prepare_ade20k_150(ade, split='val', workers=2)
    dataset = panoptic(ade, ade)
    classes = dataset.metainfo['classes']
    sample = dataset[0]['data_samples']
    labels = sample.gt_sem_seg.sem_seg[0].numpy()
    assert classes[labels[0, 0]] == 'wall' and classes[labels[0, 3]] == 'window'
    assert labels[0, 4] == 255 and (labels[0, 3], labels[0, 0]) == (1, 100)
    assert (len(sample.text), len(sample.stuff_text), len(STUFF_IDS)) == (100, 50, 50)
    assert sorted(sample.gt_instances.labels.tolist()) == [1, 58, 58]


def test_odises_files_give_road_and_skyscraper_one_id(ade):
    """As in panopticapi, the later has the pixels of both."""
    prepare_ade20k_150(ade, split='val')
    path = ade / 'ade20k_panoptic_val.json'
    content = read_json(path)
    entries = content['annotations'][0]['segments_info']
    shared = entries[1]['id']
    assert (entries[1]['category_id'], shared) == (6, 140 * 65793)
    target = ade / 'ade20k_panoptic_val/ADE_val_00000001.png'
    pixels = np.array(Image.open(target))
    other = entries[3]['id']
    pixels[pixels.astype(int) @ [1, 256, 65536] == other] = 140
    write_image(target, pixels)
    entries[3]['id'] = shared
    path.write_text(json.dumps(content))
    found, _ = segments_of(panoptic(ade, ade), 0, content)
    assert [entry[:2] for entry in found if entry[0] in ('road, route', 'skyscraper')] == [
        ('skyscraper', 3)]
    entries[0]['id'] = entries[2]['id']
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match='segments with the id of another'):
        panoptic(ade, ade)


def test_what_is_whole_is_not_written_again(ade, tmp_path):
    out = tmp_path / 'out'
    assert prepare_ade20k_150(ade, out, workers=2).new == 3 * 3 + 4, 'pictures and maps too'
    half = out / 'ade20k_panoptic_val/ADE_val_00000001.png'
    content = half.read_bytes()
    half.write_bytes(content[:len(content) // 2])
    (out / 'ade20k_instance_val.json').unlink()
    assert prepare_ade20k_150(ade, out).new == 2 and half.read_bytes() == content
    assert prepare_ade20k_150(ade, out).new == 0


def test_annotations_of_another_tool_stay(ade):
    prepare_ade20k_150(ade, split='val')
    path = ade / 'ade20k_panoptic_val.json'
    content = read_json(path)
    content.pop('info')
    content['annotations'] = []
    path.write_text(json.dumps(content))
    (ade / 'ade20k_instance_val.json').unlink()
    done = prepare_ade20k_150(ade, split='val')
    assert done.new == 1 and read_json(path)['annotations'] == []
    assert [finding.what for finding in done.findings] == ['annotations that another tool made']
    content['images'].pop()
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'other images, or other classes.*--out DIR'):
        prepare_ade20k_150(ade, split='val')


def test_maps_of_mmdet_are_left_and_maps_without_a_file_are_not_overwritten(ade, tmp_path):
    path = ade / 'ade20k_panoptic_val.json'
    prepare_ade20k_150(ade, split='val')
    content = read_json(path)
    content.pop('info')
    for number, entry in enumerate(content['categories']):  # as mmdet numbers and calls them
        entry.update(id=149 - number, name={'plane': 'airplane'}.get(entry['name'], entry['name']))
    path.write_text(json.dumps(content))
    assert [finding.what for finding in prepare_ade20k_150(ade, split='val').findings] == [
        'annotations that another tool made']
    path.unlink()
    target = ade / 'ade20k_panoptic_val/ADE_val_00000001.png'
    write_image(target, np.array(Image.open(target)))
    with pytest.raises(ValueError, match=r'00000001\.png is there, and another tool made it'):
        prepare_ade20k_150(ade, split='val')


def test_hidden_files_and_maps_without_a_picture(ade, tmp_path):
    for kind, name in (('images', '._ADE_val_00000001.jpg'), ('annotations', '._x.png')):
        (ade / kind / 'validation' / name).write_bytes(b'junk')
    write_image(ade / 'annotations/validation/ADE_val_00000009.png', CLASSES)
    done = prepare_ade20k_150(ade, tmp_path / 'out', split='val')
    assert [(finding.what, finding.examples) for finding in done.findings] == [
        ('maps of annotations without a picture NAME.jpg (val)', ['ADE_val_00000009'])]
    assert done.counts == dict(val=2)
    assert len(panoptic(tmp_path / 'out', tmp_path / 'out')) == len(semantic(tmp_path / 'out')) == 2


@pytest.mark.parametrize(('kind', 'pixels', 'expected'), [
    ('annotations', np.full((2, 6), 151, np.uint8), '12 pixels have the value 151'),
    ('annotations', np.zeros((6, 2), np.uint8), '2 x 6. They must be the same'),
    ('annotations_instance', objects((101, 1, 0, 1)), r'instance 1 \(G\) has the categories \[101'),
    ('annotations_instance', objects((1, 1, 0, 1), (2, 1, 0, 3)), r'the categories \[1, 2\] \(R'),
    ('annotations_instance', objects((3, 0, 0, slice(0, 3))), '3 pixels have a category'),
    ('annotations_instance', np.ones((2, 6), np.uint8), 'expected a map whose red, green'),
    ('annotations_instance', objects(shape=(6, 2)), '2 x 6. They must be the same')])
def test_maps_of_another_kind_are_refused(ade, kind, pixels, expected):
    write_image(ade / kind / 'validation/ADE_val_00000001.png', pixels)
    with pytest.raises(ValueError, match=rf'ADE_val_00000001\.png.*{expected}'):
        prepare_ade20k_150(ade, split='val')
    assert not (ade / 'ade20k_panoptic_val.json').exists(), 'nothing half'


def test_missing_files_are_told(ade, tmp_path):
    (ade / 'images/training').rename(ade / 'images/unused')
    assert prepare_ade20k_150(ade, tmp_path / 'val').counts == dict(val=2)
    with pytest.raises(FileNotFoundError, match='images/training'):
        prepare_ade20k_150(ade, split='train')
    (ade / 'annotations/validation/ADE_val_00000002.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of 2 maps are missing.*00000002\.png'):
        prepare_ade20k_150(ade, split='val')
    (ade / 'annotations_instance').rename(ade / 'elsewhere')
    with pytest.raises(FileNotFoundError, match='which is a download of its own'):
        prepare_ade20k_150(ade)
    with pytest.raises(FileNotFoundError, match='ADEChallengeData2016/images is not there'):
        prepare_ade20k_150(tmp_path / 'none')


def test_the_command(ade, tmp_path, load_tool, capsys):
    load_tool('prepare_ade20k_150').main([str(tmp_path), '--split', 'val', '--workers', '1'])
    said = capsys.readouterr().out
    assert '2 val; 4 files are new' in said and 'mim test mmodise configs/' in said


@trees('ade20k_150')
@pytest.mark.parametrize('flavour', ['detectron2', 'mmdet', 'odise', 'ours'])
def test_answers(tree, tmp_path, flavour):
    answers, root = read_answers(tree), tree / 'ADEChallengeData2016'
    out = tree / f'prepared_{flavour}'
    if flavour == 'ours':
        out = prepare_ade20k_150(tree, tmp_path).out
    elif not out.exists():
        pytest.skip(f'no tree of {flavour}')
    spelling = dict(plane='airplane')
    for split, folder in (('train', 'training'), ('val', 'validation')):
        mine = {Path(item['file']).stem: item for item in answers['images']
                if item['split'] == folder}
        dataset, maps = panoptic(out, root, split, folder), semantic(root, folder)
        content = read_json(out / f'ade20k_panoptic_{split}.json')
        assert len(dataset) == len(maps) == len(mine) == answers['images_per_split'][folder]
        for index in range(len(dataset)):
            item = mine[dataset.get_data_info(index)['img_id']]
            shared = {'road, route', 'skyscraper'} if flavour == 'odise' else set()
            expected = [(spelling.get(name := s['name'].strip(), name), s['area'], s['bbox'],
                         s['area_in_field_json'], s['bbox_in_field_json'])
                        for s in item['segments']]
            if not shared <= {entry[0] for entry in expected} or not shared:
                assert segments_of(dataset, index, content) == (
                    sorted(expected, key=str), item['panoptic_void'])
            pixels, void = count_pixels(maps, index)
            assert void == item['semantic']['void']
            assert pixels == {spelling.get(name.strip(), name.strip()): count
                              for name, count in item['semantic']['pixels'].items()}
    if flavour == 'ours':
        check_instances(out, answers, spelling)
        check_entries(out, answers)


def check_entries(out, answers):
    """Ids are detectron2's, boxes and areas those of the field's file."""
    for split, folder in (('train', 'training'), ('val', 'validation')):
        content = read_json(out / f'ade20k_panoptic_{split}.json')
        mine = {Path(item['file']).stem: item for item in answers['images']
                if item['split'] == folder}
        assert [entry['name'] for entry in content['categories']] == (
            answers['evaluated']['order_detectron2'])
        assert {image['id']: [image['width'], image['height']] for image in content['images']} == {
            key: item['size'] for key, item in mine.items()}
        for entry in content['annotations']:
            found = [(s['category_id'], s['area'], s['bbox']) for s in entry['segments_info']]
            assert sorted(found) == sorted(
                (s['id_detectron2'], s['area_in_field_json'], s['bbox_in_field_json'])
                for s in mine[entry['image_id']]['segments'])


def check_instances(out, answers, spelling):
    for split, folder in (('train', 'training'), ('val', 'validation')):
        content = read_json(out / f'ade20k_instance_{split}.json')
        names = {entry['id']: entry['name'].strip() for entry in content['categories']}
        found = sorted((each['image_id'], names[each['category_id']], each['area'], each['bbox'])
                       for each in content['annotations'])
        assert found == sorted((Path(item['file']).stem, each['name'].strip(), each['area'],
                                each['bbox']) for item in answers['images']
                               if item['split'] == folder for each in item['instances'])


def test_the_order_of_things_is_that_of_the_instance_categories():
    classes = ADE20KPanopticBenchmark.METAINFO['classes']
    order = dict(zip((*THING_IDS, *STUFF_IDS), classes, strict=True))
    assert [order[number] for number in (0, 7, 8, 48, 90, 149)] == [
        'wall', 'bed', 'window', 'skyscraper', 'airplane', 'flag']
