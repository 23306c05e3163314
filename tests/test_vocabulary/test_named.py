import ast
import re
import sys
from pathlib import Path

import mmdet.datasets
import mmseg.datasets
import pytest

import mmodise
from mmodise.vocabulary import Vocabulary

PACKAGE = Path(mmodise.__file__).parent / 'vocabulary'

# Labels of the data sets that are no plain words, and what they are called here.
WORDS = {
    'coco': {
        'playingfield': 'playing field', 'floor-wood': 'wooden floor', 'wall-brick': 'brick wall',
        'wall-stone': 'stone wall', 'wall-tile': 'tiled wall', 'wall-wood': 'wooden wall',
        'window-blind': 'window blind'},
    'coco_stuff': {
        'playingfield': 'playing field', 'waterdrops': 'water drops', 'solid-other':
        'solid material', 'structural-other': 'structure', 'ceiling-tile': 'tiled ceiling',
        'floor-marble': 'marble floor', 'floor-stone': 'stone floor', 'floor-tile': 'tiled floor',
        'floor-wood': 'wooden floor', 'wall-brick': 'brick wall', 'wall-concrete': 'concrete wall',
        'wall-panel': 'paneled wall', 'wall-stone': 'stone wall', 'wall-tile': 'tiled wall',
        'wall-wood': 'wooden wall', 'window-blind': 'window blind'},
    'mapillary': {
        'Crosswalk - Plain': 'plain crosswalk', 'Lane Marking - General': 'lane marking',
        'Lane Marking - Crosswalk': 'crosswalk lane marking', 'On Rails': 'rail vehicle',
        'Traffic Sign (Back)': 'back of a traffic sign', 'CCTV Camera': 'CCTV camera',
        'Traffic Sign (Front)': 'front of a traffic sign',
        'Wheeled Slow': 'slow wheeled vehicle'},
    'voc': {
        'diningtable': 'dining table', 'pottedplant': 'potted plant', 'tvmonitor': 'tv'},
}
WORDS['pascal_context'] = WORDS['voc']


def plain(name: str, label: str) -> str:
    """What a label of a data set is called in a named vocabulary, the first name."""
    if label in WORDS.get(name, {}):
        return WORDS[name][label]
    if name.startswith('coco'):
        for ending in ('-merged', '-other', '-stuff'):
            label = label.removesuffix(ending)
    if name == 'mapillary':
        label = label.lower()
    return label.split(', ')[0].replace('_', ' ') if name != 'coco' else label


def classes(dataset: type) -> tuple:
    return tuple(dataset.METAINFO['classes'])


@pytest.mark.parametrize('name, labels', [
    ('coco', classes(mmdet.datasets.CocoPanopticDataset)),
    ('ade20k', classes(mmdet.datasets.ADE20KPanopticDataset)),
    ('lvis', classes(mmdet.datasets.LVISV1Dataset)),
    ('coco_stuff', classes(mmseg.datasets.COCOStuffDataset)),
    ('voc', classes(mmseg.datasets.PascalVOCDataset)[1:]),
])
def test_classes_are_the_data_sets_own_in_its_order(name, labels):
    assert Vocabulary.named(name).class_names == tuple(plain(name, label) for label in labels)


@pytest.mark.parametrize('name, labels', [
    ('cityscapes', classes(mmseg.datasets.CityscapesDataset)),
    ('mapillary', classes(mmseg.datasets.MapillaryDataset_v1)[:65]),
    ('pascal_context', classes(mmseg.datasets.PascalContextDataset59)),
])
def test_things_and_stuff_keep_the_data_sets_order(name, labels):
    found = Vocabulary.named(name)
    order = [plain(name, label) for label in labels]
    assert sorted(found.class_names) == sorted(order)
    for part in (found.things, found.stuff):
        places = [order.index(names[0]) for names in part]
        assert places == sorted(places)


def test_things_are_what_has_instances():
    numbers = dict(coco=(80, 53), ade20k=(100, 50), cityscapes=(8, 11), lvis=(1203, 0), voc=(20, 0),
                   pascal_context=(19, 40), coco_stuff=(80, 91), mapillary=(37, 28), voc_21=(20, 1),
                   ade20k_847=(847, 0))
    for name, number in numbers.items():
        found = Vocabulary.named(name)
        assert (found.num_things, found.num_stuff) == number, name
    city = mmdet.datasets.CityscapesDataset.METAINFO['classes']
    assert [names[0] for names in Vocabulary.named('cityscapes').things] == list(city)
    ade = mmdet.datasets.ADE20KPanopticDataset.METAINFO['thing_classes']
    assert [names[0] for names in Vocabulary.named('ade20k').things] == [
        label.split(', ')[0] for label in ade]
    voc, context = (Vocabulary.named(name).class_names for name in ('voc', 'pascal_context'))
    assert set(context[:19]) == set(voc) - {'dining table'}
    coco, stuff = (Vocabulary.named(name).things for name in ('coco', 'coco_stuff'))
    assert [names[0] for names in coco] == [names[0] for names in stuff]


def test_cocos_synonyms():
    coco = Vocabulary.named('COCO')
    assert coco.things[57] == ('couch', 'sofa') and coco.stuff[-1] == ('rug', 'carpet', 'mat')
    assert coco.shared_names == {}


@pytest.mark.parametrize('name', ['coco', 'ade20k'])
def test_no_synonym_is_another_classs_name_or_synonym(name):
    found = Vocabulary.named(name)
    names = [name.casefold() for name in found.names]
    assert len(set(names)) == len(names)
    assert not [name for name in names if re.search(r'[^a-z0-9 -]', name)], 'plain words'
    bare = [names[0] for names in found.classes if len(names) == 1]
    assert name == 'coco' or not bare, bare


def test_all_labels_that_tools_have_for_ade20k_are_among_the_names():
    """mmseg's and detectron2's labels differ from mmdet's: windowpane, plane."""
    words = {name.replace(' ', ''): names[0] for names in Vocabulary.named('ade20k').classes
             for name in names}
    found = [words[label.replace(' ', '')] for label in classes(mmseg.datasets.ADE20KDataset)]
    assert sorted(found) == sorted(Vocabulary.named('ade20k').class_names)
    assert (words['plane'], words['windowpane']) == ('airplane', 'window')


def test_the_full_ade20k_has_a_name_for_each_class():
    full = Vocabulary.named('ade20k_847')
    assert len(full) == 847 and full.shared_names == {}
    assert full.class_names[:3] == ('wall', 'building', 'sky')
    assert [names[0] for names in full.classes if names[0] in (
        'bag', 'suitcase', 'handbag', 'pot', 'flowerpot', 'pier', 'supporting pier')] == [
            'bag', 'flowerpot', 'pier', 'pot', 'suitcase', 'handbag', 'supporting pier']
    assert 'door' in full.class_names and 'double door' in full.class_names
    assert not {'shop window', 'bumper'} & set(full.class_names), 'the field leaves them out'


def test_vocs_background_is_what_context_has_and_voc_has_not():
    voc, found = Vocabulary.named('voc'), Vocabulary.named('voc_21')
    context = [plain('pascal_context', label) for label in classes(
        mmseg.datasets.PascalContextDataset59)]
    assert found.things == voc.things
    others = [name for name in context if name not in (*voc.class_names, 'table')]
    assert sorted(found.stuff[0][1:]) == sorted(others) and len(others) == 39
    assert found.stuff[0][0] == 'background' and found.shared_names == {}


@pytest.mark.parametrize(('alias', 'name'), [
    ('A-150', 'ade20k'), ('a-847', 'ade20k_847'), ('ADE20K full', 'ade20k_847'),
    ('PC-59', 'pascal_context'), ('PAS-20', 'voc'), ('pas-21', 'voc_21'), ('VOC 20', 'voc'),
    ('COCO panoptic', 'coco'), ('Mapillary Vistas', 'mapillary'), ('COCO-Stuff', 'coco_stuff')])
def test_papers_names_are_known(alias, name):
    assert Vocabulary.read(alias) == Vocabulary.named(name)


@pytest.mark.parametrize(('name', 'message'), [
    ('PC-459', r"'pascal_context_459' are in the data set's own files\. Prepare it with `mim run "
     r"mmodise prepare_pascal_context FOLDER`.* 'data/pascal_ctx_d2/annotations_ctx459/classes"),
    ('Open Images', 'prepare_open_images FOLDER`.*data/open_images/classes.txt'),
    ('coco+visual_genome', 'prepare_visual_genome FOLDER')])
def test_what_comes_with_a_data_set_is_said_with_the_command(name, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary.read(name)


def test_a_sum_joins_equal_names_and_knows_each_name_once():
    both = Vocabulary.named('coco + lvis')
    coco, lvis = Vocabulary.named('coco'), Vocabulary.named('lvis')
    assert both.class_names[:80] == coco.class_names[:80], 'the first keeps its order'
    assert set(both.class_names) == set(coco.class_names) | set(lvis.class_names)
    assert len(both) == len(set(both.class_names)) < len(coco) + len(lvis)
    assert coco.classes[56] == ('chair', 'armchair', 'stool') and both.classes[56] == ('chair',)
    assert {'armchair', 'stool'} < set(both.class_names), "LVIS has classes for COCO's synonyms"
    assert not set(both.shared_names) & set(both.class_names)
    everything = Vocabulary.named('coco-stuff+ade20k+Pascal Context+voc')
    assert everything.class_names[:3] == ('person', 'bicycle', 'car')


def test_vocabularies_add_up():
    first = Vocabulary.from_string('couch, sofa; dog', 'table, desk; Sky')
    second = Vocabulary.from_string('sofa; Table, dining table; dog, puppy', 'sky, clouds; sea')
    both = first + second
    assert both.things == (
        ('couch',), ('dog', 'puppy'), ('table', 'desk', 'dining table'), ('sofa',))
    assert both.stuff == (('Sky', 'clouds'), ('sea',))
    assert first + first == first
    with pytest.raises(TypeError):
        first + 'sea'


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"named 'ade'\. Did you mean 'ade20k'\? There are: "):
        Vocabulary.named('ade')
    with pytest.raises(ValueError, match=r"named ''\. There are: ade20k, ade20k_847, cityscapes,"):
        Vocabulary.named('coco+')


def test_each_file_is_read_as_a_users_would_be():
    files = sorted((PACKAGE / 'named').glob('*.txt'))
    assert len(files) == 10
    for file in files:
        assert Vocabulary.from_file(file) == Vocabulary.named(file.stem)


def test_the_package_needs_nothing_but_python():
    """PyYAML, where a vocabulary is in YAML, is imported when it is needed."""
    for file in PACKAGE.glob('*.py'):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.Import):
                assert {alias.name.split('.')[0] for alias in node.names} <= sys.stdlib_module_names
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1 or node.module.split('.')[0] in sys.stdlib_module_names, file
