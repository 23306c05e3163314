"""Categories in other clothes: labels go by name, in the data set and in every metric."""

import itertools
import re

import pytest

from mmodise.datasets.panoptic import Findings, check_classes, complete_metainfo, match_classes
from mmodise.evaluation import CheckedPanopticMetric


def assert_right(small_set, small):
    """The labels that are trained and the figures of a perfect model are as they should be."""
    assert small_set.trained() == small_set.right
    assert {kind: small_set.evaluate(kind) for kind in small.METRIC_TYPES} == small.PERFECT


def refusals(small_set, small, **settings):
    """Of the data set and of each metric."""
    with pytest.raises(ValueError) as caught:
        small_set.build(**settings)
    errors = [str(caught.value)]
    for kind in small.METRIC_TYPES:
        with pytest.raises(ValueError) as caught:
            small_set.metric(kind, settings.get('metainfo'))
        errors.append(str(caught.value))
    return errors


def told(log):
    return [record.getMessage() for record in log.records if record.levelname == 'WARNING']


@pytest.mark.parametrize('order', [(1, 0, 3, 2), (3, 2, 1, 0), (2, 3, 0, 1), (2, 0, 3, 1)])
def test_the_order_of_the_file_does_not_matter(small_set, small, order):
    small_set.content['categories'] = [small_set.content['categories'][i] for i in order]
    small_set.save()
    assert_right(small_set, small)


@pytest.mark.parametrize('value', [None, 'no key', 0, 1, '0', '1', 'true', 'False', True, 'yes', 7])
def test_the_metainfo_says_what_is_a_thing(small_set, small, value):
    for category in small_set.content['categories']:
        category['isthing'] = value
        if value == 'no key':
            del category['isthing']
    small_set.save()
    assert_right(small_set, small)


@pytest.mark.parametrize('flags', [(1, 1, 0, 0), ('1', '1', '0', '0'), (True, True, False, False)])
def test_the_file_says_it_where_the_metainfo_does_not(small_set, flags):
    for category, flag in zip(small_set.content['categories'], flags, strict=True):
        category['isthing'] = flag
    small_set.save()
    dataset = small_set.build(metainfo=dict(classes=small_set.metainfo['classes']),
                              return_classes=True)
    assert dataset.metainfo['thing_classes'] == ('ball', 'box')
    assert dataset.get_data_info(0)['stuff_text'] == ('grass', 'sky')
    assert small_set.trained(metainfo=dict(classes=small_set.metainfo['classes'])) == (
        small_set.right)


@pytest.mark.parametrize(('flag', 'message'), [
    (None, r"'ball', 'box', 'grass', \.\.\. is a thing .* nor, as 'isthing'.*panoptic\.json"),
    ('perhaps', r'is a thing and what is stuff is neither')])
def test_somebody_must_say_it(small_set, flag, message):
    for category in small_set.content['categories']:
        category['isthing'] = flag
    small_set.save()
    with pytest.raises(ValueError, match=message):
        small_set.build(metainfo=dict(classes=small_set.metainfo['classes']))


def test_things_come_first(small_set):
    small_set.save()
    with pytest.raises(ValueError, match=r"'ball', 'box' are things, which are not the first of"):
        small_set.build(metainfo=dict(classes=('grass', 'ball', 'sky', 'box')))


@pytest.mark.parametrize('more', [('forklift', ), ('forklift', 'pallet', 'van')])
def test_classes_that_the_file_lacks_move_no_label(small_set, small, log, more):
    """As when one vocabulary serves several files."""
    small_set.save()
    small_set.metainfo = dict(
        classes=(*more, 'ball', 'box', 'grass', 'sky'), thing_classes=(*more, 'ball', 'box'),
        stuff_classes=('grass', 'sky'))
    assert_right(small_set, small)
    count = f'{len(more)} of {4 + len(more)} classes of the metainfo are no categories here: '
    assert len([message for message in told(log) if count + "'forklift'" in message]) == 5


@pytest.mark.parametrize(('left_out', 'counts'), [('box', 'box.* \\(2 segments in 2 images'),
                                                  ('sky', 'sky.* \\(3 segments in 3 images')])
def test_categories_that_are_no_classes_are_void_and_counted(
        small_set, small, log, left_out, counts):
    small_set.save()
    small_set.metainfo = {
        key: tuple(name for name in names if not name.startswith(left_out))
        for key, names in small_set.metainfo.items()}
    right = []
    for pixels, things in small_set.right:
        pixels = {name: n for name, n in pixels.items() if name != left_out} | dict(
            void=pixels['void'] + pixels.get(left_out, 0))
        right.append((pixels, [thing for thing in things if thing[0] != left_out]))
    assert small_set.trained() == right
    assert {kind: small_set.evaluate(kind) for kind in small.METRIC_TYPES} == small.PERFECT
    pattern = f'1 of 4 categories are no classes of the metainfo: .{counts}'
    assert [message for message in told(log) if re.search(pattern, message)]


@pytest.mark.parametrize('spelling', [
    'Ball', 'BALL', 'ball-', 'ball, sphere', 'sphere, ball', 'balls', 'Ball_'])
def test_another_spelling_is_refused_and_named(small_set, small, spelling):
    small_set.save()
    metainfo = dict(classes=(spelling, 'box', 'grass', 'sky'), thing_classes=('a', 'b'),
                    stuff_classes=('c', 'd'))
    for error in refusals(small_set, small, metainfo=metainfo):
        assert f"have another name here: '{spelling}' is 'ball'" in error, error


def test_the_file_may_have_the_other_spelling(small_set, small):
    small_set.content['categories'][2]['name'] = 'Grass (wet)'
    small_set.content['categories'][3]['name'] = 'SKY'
    small_set.save()
    for error in refusals(small_set, small):
        assert "'sky' is 'SKY'" in error and 'grass' not in error


def test_blanks_around_a_name_do_not_count(small_set, small):
    """As in detectron2's ADE20K: 'window '."""
    small_set.content['categories'][0]['name'] = ' ball '
    small_set.save()
    assert_right(small_set, small)


def test_names_that_differ_in_a_number_are_different(log):
    findings = Findings('file')
    match = match_classes(['lane 1', 'lane 2'], [dict(id=1, name='lane 1'),
                                                 dict(id=2, name='lane 3')], findings)
    findings.raise_errors()
    assert match == ({1: 0}, (1, None))


def test_no_class_in_common_is_refused(small_set, small):
    small_set.save()
    metainfo = dict(classes=('car', 'road'), thing_classes=('car', ), stuff_classes=('road', ))
    for error in refusals(small_set, small, metainfo=metainfo):
        assert "none of which is a class of the metainfo: 'ball', 'box', 'grass', ..." in error
        assert "'car'" in error


@pytest.mark.parametrize(('change', 'message'), [
    (lambda c: c.append(dict(id=99, name='ball', isthing=1)), 'with the name of another'),
    (lambda c: c.append(dict(id=99, name='ball ', isthing=1)), 'with the name of another'),
    (lambda c: c.append(dict(id=7, name='star', isthing=1)), 'with the id of another'),
    (lambda c: c[0].pop('name'), "without 'id' and 'name'"),
    (lambda c: c[0].update(name=''), "without 'id' and 'name'"),
    (lambda c: c[0].update(name=3), "without 'id' and 'name'"),
    (lambda c: c[0].pop('id'), "without 'id' and 'name'"),
    (lambda c: c.clear(), "list 'categories' is empty")])
def test_categories_that_are_double_or_broken(small_set, small, change, message):
    change(small_set.content['categories'])
    small_set.save()
    for error in refusals(small_set, small):
        assert 'panoptic.json' in error and message in error, error


def test_a_file_without_categories(small_set, small):
    del small_set.content['categories']
    small_set.save()
    for error in refusals(small_set, small):
        assert "panoptic.json has no list 'categories', but ['annotations', 'images']" in error


# The metainfo itself


@pytest.mark.parametrize(('metainfo', 'message'), [
    (dict(classes='ball'), r"metainfo\.classes='ball': expected a list of texts; a tuple of one"),
    (dict(classes=()), "has no 'classes'"),
    (dict(classes=('a', 'b', 'a')), r"names more than once: 'a'"),
    (dict(classes=('a', 'b'), thing_classes=('a', ), stuff_classes=()),
     '2 classes, 1 thing_classes and 0 stuff_classes'),
    (dict(classes=('a', ), thing_classes=('a', 'b')), '1 classes, 2 thing_classes and no stuff'),
    (dict(classes=('floor', 'car'), thing_classes=('car, auto', ), stuff_classes=('floor', )),
     "'floor' is number 1 of metainfo.classes, and number 2 of thing_classes and stuff_classes, "
     "where number 1 is 'car, auto'"),
    (dict(classes=('car', 'van'), thing_classes=('van', 'car')), "'car' is number 1 .* number 2")])
def test_a_metainfo_that_contradicts_itself(metainfo, message):
    with pytest.raises(ValueError, match=message):
        check_classes(metainfo)


@pytest.mark.parametrize('things', [
    ('door, doorway', 'sign'), (('door', 'doorway'), ('sign', )), 'door, doorway; sign',
    (dict(name='door', synonyms=['doorway']), dict(name='sign'))])
def test_synonyms_may_be_written_as_vocabularies_are(things):
    metainfo = dict(classes=('door-stuff', 'sign', 'sky'), thing_classes=things,
                    stuff_classes=('sky', ))
    assert check_classes(metainfo) == ('door-stuff', 'sign', 'sky')
    assert len(complete_metainfo(metainfo, [], 'file')['thing_classes']) == len(things)


def test_only_things_and_only_stuff(small_set):
    """A data set of one kind has the figures of that kind, and the other metric says so."""
    small_set.save()
    things = dict(classes=('ball', 'box'), thing_classes=('ball', 'box'), stuff_classes=())
    stuff = dict(classes=('grass', 'sky'), thing_classes=(), stuff_classes=('grass', 'sky'))
    for metainfo in (things, stuff):
        assert small_set.evaluate('CocoPanopticMetric', metainfo=metainfo) == 100
        assert small_set.evaluate('OpenVocabularySemanticMetric', metainfo=metainfo) == 100
        assert len(small_set.trained(metainfo=metainfo)) == 3
    assert small_set.evaluate('OpenVocabularyInstanceMetric', metainfo=things) == 1
    with pytest.raises(ValueError, match='stuff only, of which there are no instances'):
        small_set.metric('OpenVocabularyInstanceMetric', stuff)


def test_the_class_of_a_wrong_prediction_that_the_file_lacks(small_set):
    """It is no class of the data set: what it covers is missed, and no class gets a figure of 0."""
    small_set.save()
    metainfo = dict(classes=('ball', 'van', 'box', 'grass', 'sky'),
                    thing_classes=('ball', 'van', 'box'), stuff_classes=('grass', 'sky'))
    samples = small_set.perfect(metainfo)
    panoptic = samples[1]['pred_panoptic_seg']['sem_seg']
    panoptic[panoptic % 1000 == 2] = 1001  # the box is taken for a van
    samples[1]['pred_instances']['labels'][:] = 1
    samples[1]['pred_sem_seg']['sem_seg'][samples[1]['pred_sem_seg']['sem_seg'] == 2] = 1
    # of two boxes one is found: PQ 1 / (1 + 0.5)
    assert small_set.evaluate('CocoPanopticMetric', samples, metainfo) == pytest.approx(
        100 * (1 + 1 / 1.5 + 1 + 1) / 4)
    # of 153 pixels of boxes 25
    assert small_set.evaluate('OpenVocabularySemanticMetric', samples, metainfo) == pytest.approx(
        100 * (1 + 25 / 153 + 1 + 1) / 4, abs=0.01)
    assert small_set.evaluate('OpenVocabularyInstanceMetric', samples, metainfo) == pytest.approx(
        (1 + 0.505) / 2, abs=0.001)  # recall 0.5: 51 of 101 points


def test_a_label_beyond_the_classes_is_refused(small_set):
    small_set.save()
    samples = small_set.perfect()
    samples[0]['pred_panoptic_seg']['sem_seg'][0, 0, 0] = 9
    samples[0]['pred_instances']['labels'][0] = 2
    for kind, what in (('CocoPanopticMetric', 'a label 9, and the data set 4 classes'),
                       ('OpenVocabularyInstanceMetric', 'label 2, and the data set 2 things')):
        with pytest.raises(ValueError, match=what):
            small_set.evaluate(kind, samples)


def test_mmdets_name_is_the_checked_metric(small_set):
    small_set.save()
    assert type(small_set.metric('CocoPanopticMetric')) is CheckedPanopticMetric


def test_categories_of_several_files_in_one_metainfo(small_set, tmp_path, small):
    """Two files, each with some of the classes in its own order, train the same labels."""
    labels = []
    for number, order in enumerate(itertools.islice(itertools.permutations(range(4)), 0, 24, 7)):
        part = small.SmallSet(tmp_path / str(number))
        part.content['categories'] = [part.content['categories'][i] for i in order]
        part.save()
        labels.append(part.trained())
    assert all(found == labels[0] for found in labels) and len(labels) == 4
