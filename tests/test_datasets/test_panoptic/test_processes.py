"""The same samples and figures from processes that are spawned, as on Windows and macOS."""

import pickle

import pytest
import torch
from torch.utils.data import DataLoader


@pytest.fixture
def odd_set(small_set):
    """What needs the reader: another order, maps of other names, missing boxes."""
    small_set.content['categories'].reverse()
    for number, annotation in enumerate(small_set.content['annotations'], start=1):
        annotation['file_name'] = f'map_{number}.png'
    for segment in small_set.segments():
        del segment['bbox']
    small_set.save()
    return small_set


@pytest.mark.parametrize(('method', 'workers'), [('spawn', 1), ('fork', 2)])
def test_workers_load_the_same_samples(odd_set, small, method, workers):
    """A spawned one imports everything anew, which takes a while."""
    dataset = odd_set.build()
    loader = DataLoader(dataset, batch_size=1, num_workers=workers, collate_fn=list,
                        multiprocessing_context=method)
    found = [small.count(batch[0]['data_samples'], dataset.metainfo) for batch in loader]
    assert found == odd_set.right


def test_metrics_of_several_processes_add_up(odd_set, small):
    """Results of two parts of the images, each from a process of its own, pickled."""
    samples = odd_set.perfect()
    for kind in small.METRIC_TYPES:
        parts = []
        for part in (samples[:1], samples[1:]):
            metric = odd_set.metric(kind)
            for sample in part:
                metric.process({}, [sample])
            parts += pickle.loads(pickle.dumps(metric.results))
        whole = odd_set.metric(kind)
        whole.results = parts
        figures = whole.evaluate(len(samples))
        assert figures == odd_set.figures(kind)
        assert round(figures[{'OpenVocabularyInstanceMetric': 'coco/segm_mAP',
                              'OpenVocabularySemanticMetric': 'semantic/mIoU'}.get(
                                  kind, 'coco_panoptic/PQ')], 3) == small.PERFECT[kind]


@pytest.mark.parametrize('settings', [dict(nproc=1), dict(nproc=8)])
def test_panoptic_quality_needs_no_processes(odd_set, monkeypatch, tmp_path, settings):
    """mmdet's pool cannot be made by a spawned process, nor by one of a pool."""
    monkeypatch.setattr('multiprocessing.Pool', None)
    for more in ({}, dict(outfile_prefix=str(tmp_path / 'out/results'))):
        assert odd_set.evaluate('CocoPanopticMetric', **settings, **more) == 100


def test_mask_ap_by_several_processes(odd_set):
    assert odd_set.evaluate('OpenVocabularyInstanceMetric', use_mp_eval=True) == 1


def test_what_is_read_can_be_pickled(odd_set, small):
    """Spawned processes get data sets and metrics so."""
    dataset = pickle.loads(pickle.dumps(odd_set.build()))
    assert [small.count(dataset[i]['data_samples'], dataset.metainfo) for i in range(3)] == (
        odd_set.right)
    assert isinstance(dataset[0]['inputs'], torch.Tensor)
