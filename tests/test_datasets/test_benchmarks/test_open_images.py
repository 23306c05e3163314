"""Open Images: masks of other sizes, groups, what is absent, the hierarchy, flags of -1."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mmodise.datasets.converters import parts
from mmodise.datasets.converters.open_images import prepare_open_images
from mmodise.vocabulary import Vocabulary

from .conftest import build, evaluate, found_instance, read_answers, trees, write_image

KEY = '0a'
NAMES = ['Bear', 'Teddy bear', 'Turtle', 'Tortoise', 'Flower, red', 'Dog']
MIDS = [f'/m/{i}' for i in range(1, 7)]  # /m/9 is an animal without masks between two classes
HIERARCHY = dict(LabelName='/m/0', Subcategory=[
    dict(LabelName=MIDS[0], Subcategory=[dict(LabelName='/m/9', Subcategory=[
        dict(LabelName=MIDS[1])])], Part=[dict(LabelName=MIDS[5])]),
    dict(LabelName=MIDS[2], Subcategory=[dict(LabelName=MIDS[3])]), dict(LabelName=MIDS[4])])
BOX = 'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf'
MASK = 'MaskPath,ImageID,LabelName,BoxID,PredictedIoU'


@pytest.fixture
def root(tmp_path):
    mask = np.zeros((15, 31), np.uint8)
    mask[3:9, 3:15] = 255
    write_image(tmp_path / f'validation/{KEY}.jpg', (10, 20, 3))
    write_image(tmp_path / 'validation/0b.jpg', (10, 20, 3))
    write_image(tmp_path / f'validation-masks/A/{KEY}_m2_ff.png', mask)
    write_image(tmp_path / f'validation-masks/{KEY}_m9_ee.png', mask)
    rows = {
        'annotations-bbox': [
            BOX, f'{KEY},x,{MIDS[1]},1,.1,.5,.2,.6,-1,-1', f'0b,x,{MIDS[5]},1,0,.5,0,1,0,1',
            f'{KEY},x,{MIDS[4]},1,0,1,0,1,-1,0'],
        'annotations-object-segmentation': [
            MASK, f'{KEY}_m2_ff.png,{KEY},{MIDS[1]},ff,0', f'zz_m1_aa.png,zz,{MIDS[0]},aa,0',
            f'{KEY}_m9_ee.png,{KEY},/m/9,ee,0'],
        'annotations-human-imagelabels-boxable': [
            'ImageID,Source,LabelName,Confidence', f'{KEY},v,{MIDS[2]},0', f'{KEY},v,{MIDS[1]},1',
            f'0b,v,{MIDS[0]},1', f'0b,v,{MIDS[5]},1']}
    for name, lines in rows.items():
        (tmp_path / f'validation-{name}.csv').write_text('\n'.join(lines))
    (tmp_path / 'classes-segmentation.txt').write_text('\n'.join(MIDS))
    (tmp_path / 'class-descriptions-boxable.csv').write_text('\n'.join(
        f'{mid},"{name}"' for mid, name in zip(MIDS, NAMES, strict=True)))
    (tmp_path / 'bbox_labels_600_hierarchy.json').write_text(json.dumps(HIERARCHY))
    return tmp_path


def read(root, name='validation'):
    content = json.loads((root / f'annotations/{name}.json').read_text())
    return content, {image['id']: image for image in content['images']}


def data_set(root, name='validation'):
    return build('OpenImagesSegmentation', root,
                 dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
                 ann_file=f'annotations/{name}.json', data_prefix=dict(img=''))


def test_masks_are_resized_and_groups_are_crowds(root):
    done = prepare_open_images(root)
    assert (done.counts, done.new) == (dict(validation=2), 3)
    told = [(finding.what.partition(' that')[0], finding.examples) for finding in done.findings]
    assert told == [
        ('pictures with masks', ['zz']), ('masks of classes', ['0a, /m/9'])]
    vocabulary = Vocabulary.from_file(root / 'classes.txt')
    assert len(vocabulary.things) == 6, 'a comma in a name is none between names'
    content, images = read(root)
    bear, group = content['annotations']
    assert (bear['category_id'], bear['iscrowd'], bear['box_id']) == (2, 0, 'ff')
    assert bear['bbox'] == [2, 2, 8, 4], 'a flag of -1 is no group'
    assert (group['image_id'], group['category_id'], group['iscrowd']) == ('0b', 6, 1)
    assert (group['bbox'], group['area']) == ([0, 0, 10, 10], 100)
    assert images[KEY]['neg_category_ids'] == [3]
    assert images[KEY]['not_exhaustive_category_ids'] == [5], 'a box without a mask'
    assert images['0b']['not_exhaustive_category_ids'] == [1], 'a label without a mask'
    assert prepare_open_images(root, workers=2).new == 0


def test_a_run_that_was_stopped_goes_on_with_the_next_part(root, monkeypatch):
    monkeypatch.setattr(parts, '_SIZE', 1)
    broken = root / f'validation-masks/A/{KEY}_m2_ff.png'
    whole = broken.read_bytes()
    broken.write_bytes(b'')
    with pytest.raises(ValueError, match='1 of 2 cannot be prepared'):
        prepare_open_images(root)
    assert not (root / 'annotations/validation.json').exists()
    broken.write_bytes(whole)
    part, = (root / 'annotations/validation.parts').iterdir()
    part.write_text(part.read_text().replace('"height": 10', '"height": 11'))
    prepare_open_images(root)
    content, images = read(root)
    assert len(images) == len(content['annotations']) == 2
    assert images['0b']['height'] == 11, 'it was done, and not done again'
    assert not (root / 'annotations/validation.parts').exists()


def test_folders_of_archives_and_rows_that_stand_twice(root):
    (root / 'validation/validation_0').mkdir()
    for key in (KEY, '0b'):
        (root / f'validation/{key}.jpg').rename(root / f'validation/validation_0/{key}.jpg')
    (root / 'validation-masks/A').rename(root / 'validation-masks-0')
    name = f'{KEY}_m9_ee.png'
    (root / 'validation-masks' / name).rename(root / 'validation-masks-0' / name)
    table = root / 'validation-annotations-object-segmentation.csv'
    header, *rows = table.read_text().splitlines()
    table.write_text('\r\n'.join([header, *rows, *rows]))
    done = prepare_open_images(root, root / 'out')
    assert ('rows of masks that stand twice', 2) in [(f.what, f.count) for f in done.findings]
    content, images = read(root / 'out')
    assert len(content['annotations']) == 2
    assert images[KEY]['file_name'] == f'validation/validation_0/{KEY}.jpg'
    assert len(data_set(root / 'out')) == 2, 'pictures are there too'
    write_image(root / f'validation/{KEY}.jpg', (10, 20, 3))
    with pytest.raises(ValueError, match=r'0a\.jpg are of one image'):
        prepare_open_images(root)


def test_instances_are_also_what_they_are_a_kind_of(root):
    prepare_open_images(root)
    content, images = read(root, 'validation_expanded')
    assert [(a['id'], a['category_id']) for a in content['annotations']] == [(1, 2), (2, 1), (3, 6)]
    assert images[KEY]['neg_category_ids'] == [3, 4], 'where no turtle is, no tortoise is'


def test_the_data_set_ignores_groups(root):
    prepare_open_images(root)
    dataset = data_set(root)
    assert dataset.metainfo['classes'] == tuple(NAMES)
    info = dataset.get_data_info(0)
    assert (info['neg_labels'], info['not_exhaustive_labels']) == ([2], [4])
    sample = dataset[1]['data_samples']
    assert len(sample.gt_instances) == 0 and sample.ignored_instances.labels.tolist() == [5]
    assert dataset[0]['data_samples'].gt_instances.labels.tolist() == [1]
    assert tuple(sample.text) == tuple(NAMES)


def test_what_is_missing_or_strange_is_named(root):
    write_image(root / f'validation-masks/A/{KEY}_m2_ff.png', np.full((20, 20), 255, np.uint8))
    with pytest.raises(ValueError, match=r'm2_ff\.png has 20 x 20 pixels, its picture 20 x 10'):
        prepare_open_images(root)
    (root / f'validation-masks/A/{KEY}_m2_ff.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 masks .* missing, the first is 0a_m2_ff\.png'):
        prepare_open_images(root)
    table = root / 'validation-annotations-bbox.csv'
    table.write_text(table.read_text().replace('IsGroupOf', 'IsGroup'))
    with pytest.raises(ValueError, match=r"bbox\.csv: the column 'IsGroupOf' is missing"):
        prepare_open_images(root)
    (root / 'classes-segmentation.txt').write_text('/m/77')
    with pytest.raises(ValueError, match='/m/77 has no name'):
        prepare_open_images(root)
    assert not (root / 'annotations').exists()


@pytest.mark.parametrize(('name', 'expected'), [
    ('validation', 1), ('validation_expanded', 0.5)])
def test_ap_by_hand(root, name, expected):
    """The teddy bear is found, and as a bear only where the hierarchy asks for it, missed."""
    prepare_open_images(root)
    dataset = data_set(root, name)
    bear, group = (dataset[i]['data_samples'] for i in range(2))
    mask, dogs = np.zeros((2, 10, 20))
    mask[2:6, 2:10], dogs[:, :10] = 1, 1
    results = [found_instance(bear, [1], [mask], [0.9]),
               found_instance(group, [5, 1], [dogs] * 2, [0.9, 0.95])]  # not judged there
    figures = evaluate(dataset, results, type='LVISInstanceMetric',
                       ann_file=str(root / f'annotations/{name}.json'))
    assert figures['lvis/segm_AP50'] == pytest.approx(expected, abs=1e-3)


def test_names_of_boxes_are_words_to_train_on(root):
    """Of all classes that have a name, groups too; a label without a box is of the picture."""
    with (root / 'class-descriptions-boxable.csv').open('a') as file:
        file.write('\n/m/8,Bat (Animal)')
    for path in root.glob('validation*'):
        path.rename(root / path.name.replace('validation', 'train'))
    table = root / 'train-annotations-bbox.csv'
    table.write_text(table.read_text() + f'\n{KEY},x,/m/8,1,.5,1,0,.25,0,0')
    assert prepare_open_images(root).new == 4
    dataset = build('CaptionedRegionsDataset', root, 'LoadPanopticIfAny', data_prefix=dict(img=''),
                    ann_file='annotations/regions_train.json')
    first, second = ({(region['phrase'], *region['phrases'], *(region['bbox'] or ()))
                      for region in dataset.get_data_info(i)['regions']} for i in range(2))
    assert first == {('teddy bear', 'teddy bear', 2, 2, 10, 6), ('bat', 'bat', 10, 0, 20, 2.5),
                     ('flower, red', 'flower, red', 0, 0, 20, 10)}
    assert second == {('dog', 'dog', 0, 0, 10, 10), ('bear', 'bear')}


def close(box, expected):
    return np.abs(np.subtract(box, expected)).max() <= 1.5


@trees('open_images')
def test_answers(tree, tmp_path):
    root = shutil.copytree(tree, tmp_path / 'tree')
    answers = read_answers(tree)
    assert prepare_open_images(root).counts == answers['images_per_split']
    for split in answers['images_per_split']:
        content, images = read(root, split)
        names = {category['id']: category['name'] for category in content['categories']}
        assert list(names.values()) == answers['evaluated']['order']
        for item in (item for item in answers['images'] if item['split'] == split):
            key = Path(item['file']).stem
            image, found = images[key], [a for a in content['annotations'] if a['image_id'] == key]
            assert image['file_name'] == item['file']
            assert [image['width'], image['height']] == item['size']
            masks = [a for a in found if not a['iscrowd']]
            assert len(masks) == len(item['instances'])
            for want in item['instances']:
                assert any(
                    names[a['category_id']] == want['name']
                    and close(a['bbox'], want['bbox_in_image'])
                    and abs(a['area'] / np.prod(item['size']) - want['share_of_image']) < 0.012
                    for a in masks), want
            listed = [group for group in item['group_of'] if group['name'] in names.values()]
            groups = [a for a in found if a['iscrowd']]
            assert Counter(names[a['category_id']] for a in groups) == Counter(
                group['name'] for group in listed)
            assert all(any(close(a['bbox'], group['bbox_in_image']) for a in groups)
                       for group in listed)
            assert [names[i] for i in image['neg_category_ids']] == [
                name for name in item['verified_absent'] if name in names.values()]
            assert {names[i] for i in image['not_exhaustive_category_ids']} >= {
                name for name in item['boxes_without_mask'] if name in names.values()}
        assert len(data_set(root, split)) == len(images)
    words = read(root, 'regions_train')[0]['annotations']
    for item in (item for item in answers['images'] if item['split'] == 'train'):
        mine = [word for word in words if word['image_id'] == Path(item['file']).stem]
        for want in (*item['instances'], *item['group_of']):
            assert any(word['caption'] == want['name'].lower() and close(
                word['bbox'], want['bbox_in_image']) for word in mine if 'bbox' in word), want
        assert {name.lower() for name in item['boxes_without_mask']} <= {
            word['caption'] for word in mine if 'bbox' in word}
        assert not {word['caption'] for word in mine}.intersection(
            name.lower() for name in item['verified_absent'])
