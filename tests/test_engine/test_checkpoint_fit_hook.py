import itertools
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner import Runner

import mmodise  # noqa: F401  registers the hook

TOY = Path(__file__).parents[1] / 'test_tools/toy'
LINEAR = torch.tensor([[1.0, -1.0]])
BIAS = torch.zeros(1)


@pytest.fixture
def build(monkeypatch, tmp_path):
    """Give a function that builds a runner for the toy, which here has two weights."""
    monkeypatch.syspath_prepend(TOY)
    count = itertools.count()

    def build(weights=None, **settings):
        cfg = Config.fromfile(TOY / 'toy_recipe.py')

        class ToyWithBias(MODELS.get('ToyModel')):
            def __init__(self):
                super().__init__()
                self.bias = torch.nn.Parameter(torch.ones(1))

        MODELS.register_module(module=ToyWithBias, force=True)
        cfg.model.type = 'ToyWithBias'
        cfg.default_hooks.checkpoint_fit = dict(type='CheckpointFitHook')
        cfg.update(work_dir=str(tmp_path), experiment_name=f'{tmp_path}/{next(count)}', **settings)
        if weights is not None:
            cfg.load_from = str(tmp_path / 'weights.pth')
            torch.save(dict(state_dict=weights), cfg.load_from)
        return Runner.from_cfg(cfg)

    return build


OTHERS = [
    ({'linear.weight': LINEAR}, '1 missing: bias'),
    ({'linear.weight': torch.ones(1, 3), 'bias': BIAS}, r'weight \(1, 3\), expected \(1, 2\)'),
    ({}, "0 of the model's 2 weights"),
]


@pytest.mark.parametrize(('weights', 'message'), OTHERS)
def test_evaluation_refuses_weights_that_are_not_all(build, weights, message):
    runner = build(weights)
    with pytest.raises(ValueError, match=r'weights\.pth is of another model.*' + message):
        runner.test()


def test_evaluation_takes_weights_that_are_more_than_all(build):
    runner = build({'linear.weight': LINEAR, 'bias': BIAS, 'auxiliary_head.weight': BIAS})
    assert runner.test()['error'] == 0.375
    assert runner.model.bias.item() == 0


def test_a_training_starts_from_weights_that_fit_in_part_with_a_warning(build, tmp_path):
    runner = build({'linear.weight': LINEAR, 'linear.bias': BIAS})
    runner.train()
    assert runner.iter == 6
    log, = (path.read_text() for path in tmp_path.glob('*/*.log'))
    message = (
        f"WARNING - load_from='{tmp_path / 'weights.pth'}' fits in part: the checkpoint has 1 of "
        "the model's 2 weights; 1 missing: bias; 1 that the model does not have: linear.bias.")
    assert message in log


def test_a_training_refuses_weights_of_which_none_fits(build):
    runner = build({'linear.weight': torch.ones(1, 3), 'linear.bias': BIAS})
    with pytest.raises(ValueError, match=r'load_from.*weights\.pth.* is of another model'):
        runner.train()


@pytest.mark.parametrize(('weights', 'message'), [
    *OTHERS, ({'linear.weight': LINEAR, 'bias': BIAS, 'neck': BIAS}, 'does not have: neck')])
def test_resuming_refuses_weights_of_another_model(build, weights, message):
    runner = build(weights, resume=True)
    with pytest.raises(ValueError, match=r'weights\.pth cannot be resumed.*' + message):
        runner.train()


def test_resuming_refuses_bare_weights_and_names_the_latest_checkpoint(build, tmp_path):
    torch.save({'linear.weight': LINEAR, 'bias': BIAS}, tmp_path / 'iter_2.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_2.pth'))
    runner = build(resume=True)
    with pytest.raises(ValueError, match=r'iter_2\.pth has weights only'):
        runner.train()
