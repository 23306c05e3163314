import json
import logging
import re

import pytest
from mmdet.registry import DATASETS

from mmodise.datasets.caption_file import captions_by_image, has_phrases, read_captions
from mmodise.datasets.shapes import shapes_metainfo
from mmodise.datasets.shapes_world import BASE_STUFF, BASE_THINGS


def content(captions, phrases=None):
    """A captions file of ``{image id: captions}``."""
    annotations = [
        dict(image_id=i, caption=text) for i, texts in captions.items() for text in texts]
    for number, annotation in enumerate(annotations):
        annotation.update(dict(id=number), **({} if phrases is None else dict(phrases=phrases)))
    return dict(images=[dict(id=i, file_name=f'{i:06}.jpg') for i in captions],
                annotations=annotations)


@pytest.fixture
def write(tmp_path):
    def write(content, name='captions.json'):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), 'utf-8')
        return str(path)
    return write


@pytest.fixture
def build(demo_dir):
    """Build the embedded training data, images 1 to 4, with captions."""

    def build(caption_file, **settings):
        return DATASETS.build({**dict(
            type='CheckedPanopticDataset', data_root=str(demo_dir / 'data/shapes'),
            ann_file='annotations/panoptic_train.json', caption_file=caption_file,
            metainfo=shapes_metainfo(BASE_THINGS, BASE_STUFF), serialize_data=False, pipeline=[],
            data_prefix=dict(img='train/', seg='annotations/panoptic_train/')), **settings})

    return build


# Joined with images


def test_captions_are_joined_by_image_id(build, write):
    dataset = build(write(content({4: ['the grass'], 9: ['a dog'], 1: ['a ball', 'a red ball'],
                                   2: ['a box'], 3: ['a star']})))
    found = {info['img_id']: info['captions'] for info in dataset}
    assert found == {1: ['a ball', 'a red ball'], 2: ['a box'], 3: ['a star'], 4: ['the grass']}
    assert all('phrases' not in info for info in dataset)


def test_the_path_starts_at_data_root(build):
    dataset = build('annotations/captions_train.json')
    assert [len(info['captions']) for info in dataset] == [5] * 4
    assert 'captions' not in build(None)[0]


def test_the_embedded_data_set_takes_captions_too(build):
    dataset = build('annotations/captions_train.json', type='ShapesPanopticDataset', split='base',
                    metainfo=None)
    assert all(len(info['captions']) == 5 for info in dataset)


def test_prepared_phrases_are_joined_with_their_captions(build, write):
    path = write(content({1: ['a ball', ''], 2: ['一只狗'], 3: ['x'], 4: ['y']}, ['red ball']))
    dataset = build(path)
    assert [info['phrases'] for info in dataset] == [[['red ball']]] * 4  # none for ''
    assert dataset[1]['captions'] == ['一只狗']


def test_captions_of_another_split_are_refused(build, write):
    path = write(content({7: ['a dog'], 8: ['a cat'], 9: ['a cow'], 10: ['a pig']}))
    message = (r'captions of 4 images \(ids 7, 8, 9, \.\.\.\), .*panoptic_train\.json has 4 images '
               r'\(ids 1, 2, 3, \.\.\.\), and no id is in both\. Are they of two splits')
    with pytest.raises(ValueError, match=message):
        build(path)


def test_ids_of_another_kind_are_shown_as_such(build, write):
    with pytest.raises(ValueError, match=r"\(ids '1'\), .* \(ids 1, 2, 3, \.\.\.\)"):
        build(write(dict(images=[], annotations=[dict(image_id='1', caption='the dog')])))


def test_images_without_captions_are_told_once(build, write, log):
    dataset = build(write(content({1: ['a ball'], 2: ['', ' '], 4: ['a box']})))
    assert [info['captions'] for info in dataset] == [['a ball'], [], [], ['a box']]
    record, = [record for record in log.records if record.levelno == logging.WARNING]
    assert '2 of 4 images' in record.getMessage() and '(ids 2, 3)' in record.getMessage()


# The file


def test_captions_by_image_leaves_out_empty_ones():
    found = captions_by_image(content({1: ['a dog', '', ' \n'], 2: [''], 3: []}))
    assert found == {1: dict(captions=['a dog'])}


def test_a_missing_file(build, write):
    with pytest.raises(FileNotFoundError, match=r'data/shapes/captions\.json is not there\. COCO'):
        build('captions.json')


def test_a_file_that_was_cut_short(write):
    path = write(json.dumps(content({1: ['a dog']}))[:40])
    with pytest.raises(ValueError, match=re.escape(path) + ' is no JSON, or was cut short'):
        read_captions(path)


@pytest.mark.parametrize('bad', [
    [], dict(annotations=[]), dict(images=[], annotations={}), dict(images=1, annotations=[])])
def test_a_file_of_another_layout(write, bad):
    with pytest.raises(ValueError, match="lacks a list 'images' or 'annotations'"):
        read_captions(write(bad))


@pytest.mark.parametrize('annotation', [
    dict(image_id=1, bbox=[0, 0, 1, 1]), dict(image_id=1, caption=None), dict(caption='a'), 'dog'])
def test_annotations_that_are_no_captions(write, annotation):
    bad = content({1: ['a dog']})
    bad['annotations'].append(annotation)
    with pytest.raises(ValueError, match=r"has an annotation .*'caption', a string\. Is it the"):
        read_captions(write(bad))


@pytest.mark.parametrize(('name', 'ids'), [('images', '7'), ('annotations', '0, 1')])
def test_ids_that_repeat(write, name, ids):
    bad = content({7: ['a dog', 'the dog']})
    bad[name] += bad[name]
    with pytest.raises(ValueError, match=rf"more than once in '{name}': {ids}\. Were two files"):
        read_captions(write(bad))


@pytest.mark.parametrize('captions', [
    ['Ein Hund liegt in dem grünen Gras', 'Zwei Frauen an einem Tisch in der Küche'],
    ['Un perro corre por la playa', 'Una mujer con un paraguas rojo'],
    ['草地上的狗', '两个女人坐在桌子旁'],
])
def test_captions_in_another_language(write, captions):
    with pytest.raises(ValueError, match=r'does not read like English .*give each annotation its '):
        read_captions(write(content({1: captions})))
    assert has_phrases(read_captions(write(content({1: captions}, ['Hund']))))


def test_a_caption_in_another_language_among_others(write):
    captions = ['a dog on the grass', 'two dogs in a field', '草地上的狗']
    read = read_captions(write(content({1: captions})))
    assert [annotation['caption'] for annotation in read['annotations']] == captions


@pytest.mark.parametrize('phrases', ['a dog', [1], None])
def test_phrases_are_lists_of_strings(write, phrases):
    bad = content({1: ['a dog', 'a cat']}, ['dog'])
    bad['annotations'][1]['phrases'] = phrases
    with pytest.raises(ValueError, match="if one has 'phrases', all must, each a list of strings"):
        read_captions(write(bad))


def test_phrases_are_there_for_all_captions_or_none(write):
    bad = content({1: ['a dog', 'a cat']}, ['dog'])
    del bad['annotations'][1]['phrases']
    with pytest.raises(ValueError, match="if one has 'phrases', all must"):
        read_captions(write(bad))
