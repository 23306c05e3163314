"""What a model needs to be evaluated."""

import threading

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.structures import InstanceData
from torch import nn
from torch.utils.data import DataLoader

from mmodise.checkpoints import check_untrained
from mmodise.engine import EvaluationRunner, OverlappedEvaluator
from mmodise.utils import overlap


def test_a_model_without_parameters_is_not_wrapped():
    """Also where several processes run; torch's wrapper refuses one."""
    runner = EvaluationRunner.__new__(EvaluationRunner)
    model = nn.ReLU()
    assert runner.wrap_model(dict(type='MMDistributedDataParallel'), model) is model


def test_trained_weights_are_named():
    check_untrained(nn.ReLU(), 'relu.py')
    with pytest.raises(ValueError, match=r'linear\.py has no weights .* 2 to be trained.* weight'):
        check_untrained(nn.Linear(2, 1), 'linear.py')


@pytest.fixture
def gpu(monkeypatch):
    """Threads are used as if the network computed on a GPU."""
    monkeypatch.setattr(overlap, 'pays_on', lambda device: True)


class Recorded(BaseMetric):
    """Keeps what it is given, and fails at a number."""

    def __init__(self, fails_at=None):
        super().__init__()
        self.fails_at, self.threads = fails_at, set()

    def process(self, data_batch, data_samples):
        self.threads.add(threading.current_thread())
        if self.fails_at in data_samples:
            raise ValueError('no such number')
        self.results += [(data_batch, sample) for sample in data_samples]

    def compute_metrics(self, results):
        return dict(seen=list(results))


def test_metrics_of_the_overlapped_evaluator_see_the_same(gpu):
    own, plain = Recorded(), Recorded()
    evaluators = OverlappedEvaluator([own]), Evaluator([plain])
    for evaluator in evaluators:
        for i in range(3):
            evaluator.process([2 * i, 2 * i + 1], data_batch=i)
    figures = [evaluator.evaluate(6) for evaluator in evaluators]
    assert figures[0] == figures[1] and len(figures[0]['seen']) == 6
    assert threading.current_thread() not in own.threads and len(own.threads) == 1


def test_samples_may_get_other_results_meanwhile(gpu):
    """As in a sweep over classifiers, which all give their results to the same samples."""
    class Waiting(Recorded):
        def process(self, data_batch, data_samples):
            go_on.wait()
            super().process(data_batch, data_samples)

    go_on, sample = threading.Event(), DetDataSample()
    evaluator = OverlappedEvaluator(Waiting())
    sample.pred_instances = InstanceData(labels=torch.tensor([1]))
    evaluator.process([sample])
    sample.pred_instances.labels = torch.tensor([2])
    sample.pred_instances = InstanceData(labels=torch.tensor([3]))
    go_on.set()
    (_, seen), = evaluator.evaluate(1)['seen']
    assert seen['pred_instances']['labels'].tolist() == [1]


def test_the_error_of_a_metric_stops_the_test(gpu):
    evaluator = OverlappedEvaluator(Recorded(fails_at=1))
    evaluator.process([1])
    with pytest.raises(ValueError, match='no such number'):
        evaluator.process([2])
    evaluator.process([1])
    with pytest.raises(ValueError, match='no such number'):
        evaluator.evaluate(2)


def test_a_runner_overlaps_unless_it_is_told_otherwise(gpu):
    runner = EvaluationRunner.__new__(EvaluationRunner)
    assert isinstance(runner.build_evaluator([Recorded()]), OverlappedEvaluator)
    own = runner.build_evaluator(dict(type='MultiDatasetsEvaluator', metrics=[Recorded()],
                                      dataset_prefixes=['a']))
    assert not isinstance(own, OverlappedEvaluator)
    dataset = [dict(inputs=torch.tensor(i)) for i in range(3)]
    settings = dict(batch_size=1, sampler=dict(type='DefaultSampler', shuffle=False),
                    dataset=dataset, collate_fn=dict(type='pseudo_collate'))
    loader = runner.build_dataloader(dict(settings, num_workers=0))
    assert [int(batch['inputs'][0]) for batch in loader] == [0, 1, 2]
    assert len(loader) == 3 and len(loader.dataset) == 3 and loader.batch_size == 1
    assert isinstance(runner.build_dataloader(dict(settings, num_workers=1)), DataLoader)
