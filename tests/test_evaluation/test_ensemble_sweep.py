"""The sweep labels as the model itself does with each pair of alpha and beta."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from mmengine.runner import Runner

from mmodise.evaluation import Weights, sweep_classifiers, sweep_ensemble

CONFIG = Path(__file__).parents[2] / 'configs/odise/odise_sd-small_shapes-panoptic.py'


@METRICS.register_module()
class MapsThatAreLabelled(BaseMetric):
    """Keeps the panoptic maps: a random model's quality is 0 whatever the scores."""

    maps = []

    def process(self, data_batch, data_samples):
        self.results += [sample['pred_panoptic_seg']['sem_seg'] for sample in data_samples]

    def compute_metrics(self, results):
        self.maps.append(torch.stack(results))
        return dict(number=len(self.maps) - 1)


@pytest.fixture
def runner(demo_dir, small_checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(demo_dir)
    cfg = Config.fromfile(CONFIG)
    cfg.work_dir = str(tmp_path)
    cfg.load_from = str(small_checkpoint)
    cfg.test_evaluator = dict(type='MapsThatAreLabelled')
    cfg.test_dataloader.batch_size = 3  # of four images: the last batch is smaller
    return Runner.from_cfg(cfg)


def maps_of(metrics):
    return MapsThatAreLabelled.maps[metrics['number']]


def test_each_pair_is_as_the_models_own_test(runner):
    ensemble = runner.model.ensemble
    before = ensemble.alpha, ensemble.beta
    trusting = *before, 1.0
    swept = sweep_ensemble(runner, [(0.0, 0.0), before, (1.0, 0.0), trusting])
    assert (ensemble.alpha, ensemble.beta, ensemble.trust) == (*before, 0.0)
    assert torch.equal(maps_of(swept[before]), maps_of(runner.test()))
    ensemble.alpha, ensemble.beta = 1.0, 0.0
    assert torch.equal(maps_of(swept[1.0, 0.0]), maps_of(runner.test()))
    ensemble.alpha, ensemble.beta, ensemble.trust = trusting
    trusted = maps_of(swept[trusting])
    assert torch.equal(trusted, maps_of(runner.test()))
    assert not torch.equal(trusted, maps_of(swept[before]))
    runner.model.classifier = None
    alone = maps_of(runner.test())
    assert torch.equal(maps_of(swept[0.0, 0.0]), alone), 'no weight: the in-vocabulary score alone'
    assert len(alone) == 4 and not torch.equal(alone, maps_of(swept[before]))


def test_several_classifiers_in_one_pass(runner):
    model, weights = runner.model, Weights(0.4, 0.6)
    own = model.classifier
    other = MODELS.build(dict(runner.cfg.model.classifier, min_coverage=0.5))
    swept = sweep_classifiers(runner, dict(own=(own, weights), other=(other, weights)))
    assert model.classifier is own
    assert torch.equal(maps_of(swept['own'].metrics), maps_of(runner.test()))
    model.classifier = other
    assert torch.equal(maps_of(swept['other'].metrics), maps_of(runner.test()))


def test_without_a_classifier(runner):
    runner.model.classifier = None
    with pytest.raises(ValueError, match='classifier is None'):
        sweep_ensemble(runner, [(0.0, 0.0)])
