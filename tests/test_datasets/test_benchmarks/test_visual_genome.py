"""Visual Genome: folders by URL, boxes beyond the picture, phrases, pictures that are COCO's."""

import json
import shutil

import pytest
import torch
from mmdet.registry import DATASETS, METRICS
from mmengine.structures import InstanceData

from mmodise.datasets.converters.visual_genome import clip_box, prepare_visual_genome
from mmodise.vocabulary import Vocabulary

from .conftest import read_answers, trees, write_image


def region(number, phrase, x, y, width, height):
    return dict(region_id=number, phrase=phrase, x=x, y=y, width=width, height=height)


@pytest.fixture
def root(tmp_path):
    images = [dict(image_id=i, url=f'https://a.org/b/{folder}/{i}.jpg', width=20, height=10,
                   coco_id=coco_id, flickr_id=None)
              for i, folder, coco_id in ((1, 'VG_100K_2', None), (2, 'VG_100K', 139),
                                         (3, 'VG_100K', 9), (4, 'VG_100K_2', None))]
    for image in images:
        write_image(tmp_path / image['url'].split('b/', 1)[1], (10, 20, 3))
    regions = [
        dict(id=1, regions=[
            region(1, ' the clock\nis  green ', -3, 4, 8, 99), region(2, ' ', 0, 0, 1, 1),
            region(3, 'A MAN', -9, 0, 4, 4), region(4, 'A MAN', 1, 1, 2, 2),
            region(6, 'a man in the grass', 0, 0, 5, 5), region(8, 'a thing', 0, 0, 5, 5)]),
        dict(id=2, regions=[region(5, 'a brown horse', 0, 0, 4, 4)]),
        dict(id=3, regions=[region(7, 'the man with the cat', 0, 0, 4, 4)]), dict(id=4, regions=[])]
    (tmp_path / 'image_data.json').write_text(json.dumps(images))
    (tmp_path / 'region_descriptions.json').write_text(json.dumps(regions))
    (tmp_path / 'val.json').write_text(json.dumps(dict(images=[dict(id=139), dict(id=285)])))
    return tmp_path


def data_set(root, name='train', pipeline=(), **settings):
    return DATASETS.build(dict(
        type='VisualGenomeRegions', data_root=str(root), data_prefix=dict(img=''),
        ann_file=f'annotations/regions_{name}.json', serialize_data=False,
        pipeline=list(pipeline), **settings))


def test_regions_are_cleaned_and_evaluated_pictures_left_out(root):
    done = prepare_visual_genome(root, exclude=[root / 'val.json'])
    assert (done.counts, done.new) == (dict(train=3, not_coco=2), 3)
    told = {finding.what: finding.count for finding in done.findings}
    assert told == {
        'regions with an empty phrase': 1, 'regions wholly outside of their pictures': 1,
        "of 4 pictures are evaluated on as COCO's": 1}
    dataset = data_set(root)
    assert [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))] == [1, 3]
    info = dataset.get_data_info(0)
    assert info['img_path'].endswith('VG_100K_2/1.jpg')
    assert info['captions'] == ['the clock is green', 'A MAN', 'a man in the grass', 'a thing']
    assert info['phrases'] == [['clock'], ['man'], ['man', 'grass'], ['thing']]
    assert info['regions'] == [
        dict(phrase='the clock is green', phrases=['clock'], bbox=[0, 4, 5, 10]),
        dict(phrase='A MAN', phrases=['man'], bbox=None),
        dict(phrase='A MAN', phrases=['man'], bbox=[1, 1, 3, 3]),
        dict(phrase='a man in the grass', phrases=['man', 'grass'], bbox=[0, 0, 5, 5]),
        dict(phrase='a thing', phrases=['thing'], bbox=[0, 0, 5, 5])]
    assert len(data_set(root, 'not_coco')) == 1
    assert prepare_visual_genome(root, exclude=[root / 'val.json'], workers=2).new == 0


def test_names_are_the_most_frequent_and_of_training_only(root):
    prepare_visual_genome(root, exclude=[root / 'val.json'])
    names = [line.partition(':')[2] for line in (root / 'classes.txt').read_text().splitlines()]
    assert names[0] == 'man' and {'cat', 'grass', 'clock'} <= set(names)
    assert not {'horse', 'thing'}.intersection(names), 'the second is a heading of vocabularies'
    assert len(Vocabulary.from_file(root / 'classes.txt').things) == len(names)


def test_a_phrase_of_training_comes_with_its_box(root):
    prepare_visual_genome(root, exclude=[root / 'val.json'])
    dataset = data_set(root, pipeline=[
        dict(type='LoadImageFromFile'), dict(type='LoadPanopticIfAny'),
        dict(type='Resize', scale=(40, 20)), dict(type='DrawRegionWords', num_words=64),
        dict(type='PackDetInputs', meta_keys=('words', 'word_boxes'))])
    sample = dataset[0]['data_samples']
    assert set(zip(sample.words, sample.word_boxes, strict=True)) == {
        ('clock', ((0, 8, 10, 20), )), ('man', ()), ('grass', ((0, 0, 10, 10), )),
        ('thing', ((0, 0, 10, 10), ))}, 'nobody knows where one of the men is'


def test_recall_by_hand(root):
    """In the only picture that is not COCO's clock and the first man are found; grass is not asked.

    | region         | found                                                           |
    |----------------|-----------------------------------------------------------------|
    | clock, 5 x 6   | clock, 5 x 4 of it                                              |
    | man, 2 x 2     | man, the same box                                               |
    | man (in grass) | as grass only; the man beside it overlaps by 10 of 25 + 20 - 10 |
    | thing          | is no name                                                      |
    | man, outside   | has no box                                                      |
    """
    prepare_visual_genome(root, exclude=[root / 'val.json'])
    dataset = data_set(
        root, 'not_coco', classes_file='classes.txt', return_classes=True, test_mode=True,
        pipeline=[dict(type='LoadImageFromFile'),
                  dict(type='PackDetInputs', meta_keys=('img_path', 'text', 'regions'))])
    sample, names = dataset[0]['data_samples'], dataset.metainfo['classes']
    assert tuple(sample.text) == names == tuple(
        Vocabulary.from_file(root / 'classes.txt').class_names)
    found = {(0, 4, 5, 8): 'clock', (1, 1, 3, 3): 'man', (0, 0, 5, 5): 'grass', (3, 0, 8, 5): 'man'}
    result = dict(sample.metainfo, pred_instances=InstanceData(
        labels=torch.tensor([names.index(name) for name in found.values()]),
        bboxes=torch.tensor([*found], dtype=torch.float), scores=torch.ones(4)))
    metric = METRICS.build(dict(type='RegionRecallMetric'))
    metric.dataset_meta = dataset.metainfo
    metric.process({}, [result])
    figures = metric.evaluate(1)
    assert figures == pytest.approx({
        'regions/recall50': 200 / 3, 'regions/name_recall50': 75,
        'regions/any_name_recall50': 100, 'regions/instances': 4})
    assert metric.per_class == dict(man=dict(recall=50), clock=dict(recall=100))
    for own, prefix in ((['grass', 'man', 'clock'], ''), (['man', 'clock'], 'oracle_')):
        seen = {box: name for box, name in found.items() if name in own}
        metric.process({}, [dict(sample.metainfo, text=tuple(own), pred_instances=dict(
            labels=torch.tensor([own.index(name) for name in seen.values()]),
            bboxes=torch.tensor([*seen], dtype=torch.float), scores=torch.ones(len(seen))))])
        figures = metric.evaluate(1)
        assert figures[f'regions/{prefix}recall50'] == pytest.approx(200 / 3)
        assert metric.per_class['man'] == {f'{prefix}recall': 50}
    nothing = InstanceData(labels=torch.zeros(0, dtype=int), bboxes=torch.zeros(0, 4))
    metric.process({}, [dict(sample.metainfo, pred_instances=nothing)])
    assert metric.evaluate(1)['regions/recall50'] == 0
    with pytest.raises(KeyError, match=r"1\.jpg brings no 'regions'"):
        metric.process({}, [dict(img_path='1.jpg', pred_instances=nothing)])


def test_names_that_are_not_there(root):
    prepare_visual_genome(root, exclude=[root / 'val.json'])
    (root / 'classes.txt').unlink()
    with pytest.raises(FileNotFoundError, match=r'classes\.txt.*prepare_visual_genome'):
        data_set(root, 'not_coco', classes_file='classes.txt')


def test_boxes_are_cut_off_at_the_edges():
    assert clip_box([-2, 29, 98, 12], (80, 60)) == [0, 29, 80, 12]
    assert clip_box([80, 0, 5, 5], (80, 60)) is None and clip_box([-5, 0, 5, 5], (80, 60)) is None


def test_the_first_version_and_what_stands_twice(root):
    path = root / 'image_data.json'
    images = json.loads(path.read_text())
    for image in images:
        image['id'] = image.pop('image_id')
    path.write_text(json.dumps(images))
    regions = json.loads((root / 'region_descriptions.json').read_text())
    (root / 'region_descriptions.json').write_text(json.dumps(regions + regions[:1]))
    done = prepare_visual_genome(root, exclude=[root / 'val.json'])
    assert ('regions with the id of another', 6) in [(f.what, f.count) for f in done.findings]
    assert len(data_set(root).get_data_info(0)['regions']) == 5
    path.write_text(json.dumps(images + images[:1]))
    with pytest.raises(ValueError, match="2 entries of 'images' have the id 1"):
        prepare_visual_genome(root, exclude=[root / 'val.json'])


def test_what_is_wrong_is_named(root):
    with pytest.raises(ValueError, match='Name with --exclude the files'):
        prepare_visual_genome(root)
    exclude = [root / 'val.json']
    write_image(root / 'VG_100K/3.jpg', (10, 21, 3))
    with pytest.raises(ValueError, match=r'3\.jpg has 21 x 10 pixels, and was annotated at 20 x'):
        prepare_visual_genome(root, exclude=exclude)
    (root / 'VG_100K_2/1.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of 4 pictures are missing.*VG_100K_2/1\.jpg'):
        prepare_visual_genome(root, exclude=exclude)
    assert not (root / 'annotations').exists()


@trees('visual_genome')
def test_answers(tree, tmp_path):
    root = shutil.copytree(tree, tmp_path / 'tree')
    answers = read_answers(tree)
    evaluated = answers['evaluated']
    (root / 'val.json').write_text(json.dumps(dict(
        images=[dict(id=i) for i in evaluated['coco_val2017_ids']])))
    prepare_visual_genome(root, exclude=[root / 'val.json'])
    dataset = data_set(root)
    found = {info['img_id']: info for info in map(dataset.get_data_info, range(len(dataset)))}
    expected = {item['image_id']: item for item in answers['images']
                if item['image_id'] not in evaluated['leaks'] and item['usable_phrases']}
    assert found.keys() == expected.keys()
    for key, item in expected.items():
        info = found[key]
        assert info['img_path'] == f'{root}/{item["file"]}'
        assert info['captions'] == list(dict.fromkeys(
            ' '.join(text.split()) for text in item['usable_phrases']))
        boxes = [[x, y, x + w, y + h] for x, y, w, h in (
            r['clipped'] for r in item['regions'] if r['clipped'] and r['phrase'].strip())]
        assert [r['bbox'] for r in info['regions'] if r['bbox']] == boxes
        assert [info['width'], info['height']] == item['size']
