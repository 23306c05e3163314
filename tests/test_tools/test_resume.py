"""A training that is killed goes on where its last checkpoint was, and ends the same."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
MAX_ITERS = 5
KILLED_AFTER = 3

CONFIG = f"""
_base_ = {str(ROOT / 'configs/odise/odise_sd-small_shapes-panoptic.py')!r}
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end={MAX_ITERS})]
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters={MAX_ITERS})
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False,
    dataset=dict(pipeline={{{{_base_.test_pipeline}}}}))  # the same, without flips
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=2, max_keep_ckpts=-1))
custom_imports = dict(imports=['mmodise', 'resume_hooks'], allow_failed_imports=False)
custom_hooks = [dict(type='SeedEachIteration')]
"""
# The process kills itself: nothing is caught, closed or flushed.
KILLED_CONFIG = """
_base_ = './recipe.py'
custom_hooks = [dict(type='SeedEachIteration'), dict(type='Killer')]
"""
# Checkpoints of mmengine do not hold the state of the random numbers, which draw flips and the
# points of the losses. Without flips and with the same points all the rest must be the same.
HOOKS = f"""
import os, signal
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class SeedEachIteration(Hook):
    def before_train_iter(self, runner, **kwargs):
        torch.manual_seed(runner.iter)

@HOOKS.register_module()
class Killer(Hook):
    def after_train_iter(self, runner, **kwargs):
        if runner.iter + 1 == {KILLED_AFTER}:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope='module')
def folder(demo_dir, tmp_path_factory):
    """Where a training was killed in ``killed``, and another one ran through in ``whole``."""
    folder = tmp_path_factory.mktemp('resume')
    (folder / 'data').symlink_to(demo_dir / 'data')
    (folder / 'recipe.py').write_text(CONFIG)
    (folder / 'killed.py').write_text(KILLED_CONFIG)
    (folder / 'resume_hooks.py').write_text(HOOKS)
    runs = [start(folder, 'recipe.py', '--work-dir', 'whole'),
            start(folder, 'killed.py', '--work-dir', 'killed')]
    outputs = [run.communicate()[0] for run in runs]
    assert runs[0].returncode == 0, outputs[0]
    assert runs[1].returncode == -signal.SIGKILL, outputs[1]
    return folder


def start(folder, *arguments):
    """Start ``tools/train.py``, which prints to a pipe."""
    paths = os.pathsep.join([str(ROOT), str(folder)])
    return subprocess.Popen(
        [sys.executable, str(ROOT / 'tools/train.py'), *arguments], cwd=folder,
        env={**os.environ, 'PYTHONPATH': paths, 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def checkpoint(folder, iteration):
    return torch.load(folder / f'iter_{iteration}.pth', weights_only=False, map_location='cpu')


def logged_rates(output):
    """Learning rates that were logged, by iteration."""
    pattern = rf'Iter\(train\) \[ *(\d+)/ *{MAX_ITERS}\].* lr: (\S+)'
    return {int(iteration): float(rate) for iteration, rate in re.findall(pattern, output)}


def assert_equal_states(ours, theirs, tolerance=1e-6):
    for key in theirs['state_dict']:
        torch.testing.assert_close(
            ours['state_dict'][key], theirs['state_dict'][key], rtol=0, atol=tolerance)
    ours, theirs = ours['optimizer'], theirs['optimizer']
    assert ours['param_groups'] == theirs['param_groups']
    assert ours['state'].keys() == theirs['state'].keys()
    for index, state in theirs['state'].items():
        assert ours['state'][index]['step'] == state['step']
        for name in ('exp_avg', 'exp_avg_sq'):
            torch.testing.assert_close(
                ours['state'][index][name], state[name], rtol=0, atol=tolerance)


def test_killed_and_resumed_ends_as_if_nothing_had_happened(folder):
    assert sorted(path.name for path in (folder / 'killed').glob('*.pth')) == ['iter_2.pth']
    assert_equal_states(checkpoint(folder / 'killed', 2), checkpoint(folder / 'whole', 2))
    resumed = start(folder, 'recipe.py', '--work-dir', 'killed', '--resume')
    output = resumed.communicate()[0]
    assert resumed.returncode == 0, output
    assert 'resumed epoch: 0, iter: 2' in output
    # 0.1 to 1 times the rate, in 5 - 1 steps
    expected = {3: 1e-3 * 0.55, 4: 1e-3 * 0.775, 5: 1e-3}
    assert logged_rates(output) == pytest.approx(expected, rel=1e-3)
    ours, theirs = (checkpoint(folder / run, MAX_ITERS) for run in ('killed', 'whole'))
    assert ours['meta']['iter'] == theirs['meta']['iter'] == MAX_ITERS
    assert ours['param_schedulers'] == theirs['param_schedulers']
    assert_equal_states(ours, theirs)
