"""Pictures with vocabularies of their own: labels go by name, and oracles are called so."""

import pytest
import torch

from mmodise.evaluation import DataSetsReport
from mmodise.evaluation.own_vocabulary import OwnVocabulary, find_figure, name_figures
from mmodise.vocabulary import Vocabulary

PRESENT = {1: ('ball', 'grass', 'sky'), 2: ('box', 'sky'), 3: ('box', 'ball', 'grass', 'sky')}
KINDS = ('OpenVocabularyPanopticMetric', 'OpenVocabularySemanticMetric',
         'OpenVocabularyInstanceMetric', 'ClassAgnosticMetric')
MAIN = dict(zip(KINDS, ('coco_panoptic/PQ', 'semantic/mIoU', 'coco/segm_mAP',
                        'class_agnostic/mBO'), strict=True))
CLASSES = ('ball', 'box', 'grass', 'sky')


def under(samples, small_set, names_of):
    """Perfect results, labelled by vocabularies of the images' own."""
    changed = []
    for sample in samples:
        names = names_of(sample['img_id'])
        table = torch.tensor([names.index(name) if name in names else len(names)
                              for name in (*CLASSES, 'void')])
        panoptic = sample['pred_panoptic_seg']
        ids = panoptic['sem_seg']
        instances = sample['pred_instances']
        things = [name for name in names if name in ('ball', 'box', 'owl')]
        changed.append(dict(
            sample, text=tuple('box, cube' if name == 'box' else name for name in things),
            stuff_text=tuple(name for name in names if name not in things),
            pred_panoptic_seg=dict(
                sem_seg=table[ids % 1000] + ids // 1000 * 1000, ignore_index=len(names)),
            pred_sem_seg=dict(sem_seg=table[sample['pred_sem_seg']['sem_seg']]),
            pred_instances=dict(instances, labels=table[instances['labels']])))
    return changed


def figures_of(small_set, kind, names_of, **settings):
    small_set.metainfo['novel_classes'] = ('box', )
    small_set.save()
    samples = under(small_set.perfect(), small_set, names_of)
    if kind == 'OpenVocabularyInstanceMetric':
        settings = dict(classwise=True)
    metric = small_set.metric(kind, **settings)
    for sample in samples:
        metric.process({}, [sample])
    return metric.evaluate(len(samples)), metric


@pytest.mark.parametrize('kind', KINDS)
def test_names_of_what_is_in_the_picture_alone_are_an_oracle(small_set, kind):
    figures, metric = figures_of(small_set, kind, PRESENT.get)
    prefix, name = MAIN[kind].split('/')
    assert all(key.startswith(f'{prefix}/oracle_') for key in figures)
    assert figures[f'{prefix}/oracle_{name}'] in (1, 100), 'labels go by name'
    if kind != 'ClassAgnosticMetric':
        assert any(key.startswith(f'{prefix}/oracle_novel_') for key in figures)
        assert metric.per_class and all(
            key.startswith('oracle_') for each in metric.per_class.values() for key in each)


@pytest.mark.parametrize('kind', KINDS)
def test_other_vocabularies_are_none(small_set, kind):
    def with_another(image_id):  # one picture is also asked for what is not in it
        return ('owl', *PRESENT[image_id]) if image_id == 2 else PRESENT[image_id]

    for names_of in (with_another, lambda _: CLASSES):
        figures, _ = figures_of(small_set, kind, names_of)
        assert figures[MAIN[kind]] in (1, 100)
        assert not [key for key in figures if 'oracle' in key]


def test_without_a_vocabulary_figures_are_as_ever(small_set):
    small_set.save()
    assert 'coco_panoptic/PQ' in small_set.figures('OpenVocabularyPanopticMetric')


def test_labels_of_another_vocabulary_become_those_of_the_data_set():
    meta = dict(classes=('ball', 'box', 'water'), thing_classes=('ball, sphere', 'box'),
                stuff_classes=('water, lake', ))
    own = Vocabulary.from_string('zebra; sphere', 'lake; sky')
    found = OwnVocabulary.of(dict(vocabulary=own), meta)
    assert found.labels == (3, 0, 2, 3)
    segments = torch.tensor([[[0, 1, 2, 1001, 3, 4, 2004]]])  # 4 is void
    sample = found.translate(dict(pred_panoptic_seg=dict(sem_seg=segments, ignore_index=4)))
    assert sample['pred_panoptic_seg']['sem_seg'].tolist() == [[[3, 0, 2, 1000, 3, 3, 2003]]]
    assert sample['pred_panoptic_seg']['ignore_index'] == 3
    assert not found.is_only({0, 2}), 'a zebra is nowhere'
    three = dict(text='a; b', stuff_text='c')  # as many as the data set has: they are in its order
    assert OwnVocabulary.of(three, meta) is None


def test_tables_say_so(tmp_path):
    report = DataSetsReport(tmp_path, 'owl', ['one'])
    report._figures['one'] = {'coco_panoptic/oracle_PQ': 40.0, 'semantic/mIoU': 30.0}
    report.write()
    assert '| owl (oracle) | 40.0 | 30.0 |' in (tmp_path / 'tables.md').read_text()
    assert name_figures(dict(PQ=1), [None, True, None]) == dict(oracle_PQ=1)
    assert name_figures(dict(PQ=1), [None, None]) == dict(PQ=1)
    assert find_figure({'a/PQ': 1}, 'a/SQ') is None
