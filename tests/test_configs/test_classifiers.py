"""The training of a classifier alone, on top of the model that comes with mmodise."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmodise.checkpoints import load_fitting, load_from_local
from mmodise.weights import locate

CONFIG = (Path(__file__).parents[2]
          / 'configs/classifiers/odise_sd-small-tuned-clip_shapes-panoptic.py')


@pytest.fixture
def runner(demo_dir, tmp_path, monkeypatch):
    """Two iterations of two pictures."""
    monkeypatch.chdir(demo_dir)
    cfg = Config.fromfile(CONFIG)
    cfg.work_dir = str(tmp_path)
    cfg.train_dataloader.update(batch_size=2)
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    return Runner.from_cfg(cfg)


def test_two_iterations(runner, tmp_path):
    runner.train()
    rates = {id(group['params'][0]): (group['initial_lr'], group['weight_decay'])
             for group in runner.optim_wrapper.optimizer.param_groups}
    found = {name.removeprefix('classifier.'): rates[id(weight)]
             for name, weight in runner.model.named_parameters() if weight.requires_grad}
    assert found == {
        'tuned.queries': (1e-4, 0.05), 'tuned.values': (1e-4, 0.05), 'tuned.positions': (1e-4, 0.0),
        'tuned.mask_scale': (1e-3, 0.0), 'similarity.weight': (1e-3, 0.05)}
    before = load_from_local(locate('mmodise://shapes/odise.pth'))['state_dict']
    after = load_from_local(str(tmp_path / 'iter_2.pth'))['state_dict']
    assert all(torch.equal(after[name].float(), weight.float()) for name, weight in before.items())
    of_classifier = {name for name in after if name.startswith('classifier.')}
    assert of_classifier == set(after) - set(before) == {f'classifier.{name}' for name in found}
    start = torch.stack([block.attn.in_proj_weight[:128] for block in
                         runner.model.classifier.clip.frozen.model.visual.transformer.resblocks])
    assert not torch.equal(after['classifier.tuned.queries'], start), 'it has learned'
    load_fitting(runner.model, {'state_dict': after}).check_complete('the checkpoint')
