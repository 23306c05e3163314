"""A training that is killed goes on where its last checkpoint was, and ends the same."""

import re
import signal
from pathlib import Path

import pytest
import torch
from mmengine.runner import find_latest_checkpoint

ROOT = Path(__file__).parents[2]
MAX_ITERS = 4
RATES = {1: 1e-4, 2: 4e-4, 3: 7e-4, 4: 1e-3}  # 0.1 to 1 times the rate, in 4 - 1 steps

# Flips, words and points are drawn at random. Four images are an epoch of two iterations.
CONFIG = f"""
_base_ = {str(ROOT / 'configs/odise/odise-caption_sd-small_shapes-panoptic.py')!r}
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end={MAX_ITERS})]
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters={MAX_ITERS})
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
train_dataloader = dict(batch_size=1)
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=1, max_keep_ckpts=-1),
    iteration_seed=dict(type='IterationSeedHook'))
custom_imports = dict(imports=['mmodise', 'rank_parts'], allow_failed_imports=False)
custom_hooks = [dict(type='Witness')]
"""
KILLED_CONFIG = """
_base_ = './recipe.py'
custom_hooks = [dict(type='Witness'), dict(type='Kill', iteration=2)]
"""


@pytest.fixture(scope='module')
def folder(demo_dir, tmp_path_factory, run_ranks):
    """Where a training ran through in ``whole``, and another was killed and resumed."""
    folder = tmp_path_factory.mktemp('resume')
    (folder / 'data').symlink_to(demo_dir / 'data')
    (folder / 'recipe.py').write_text(CONFIG)
    (folder / 'killed.py').write_text(KILLED_CONFIG)
    runs = run_ranks(
        folder,
        whole=(2, 'recipe.py'),
        killed=(2, 'killed.py'),
        resumed=(2, 'recipe.py', '--resume', 'killed/iter_1.pth'))
    for name, code in (('whole', 0), ('killed', -signal.SIGKILL), ('resumed', 0)):
        assert [rank[0] for rank in runs[name]] == [code, code], runs[name]
    return folder


def checkpoint(folder, iteration):
    return torch.load(folder / f'iter_{iteration}.pth', weights_only=False, map_location='cpu')


def seen(folder):
    """What both processes have seen, by iteration."""
    return [torch.load(folder / f'{rank}.pth') for rank in range(2)]


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


def test_what_a_kill_while_writing_leaves(folder):
    """The last whole checkpoint, and a part of the next under a name that nothing takes for one."""
    files = {path.name: path.stat().st_size for path in (folder / 'killed').glob('iter_*')}
    assert set(files) == {'iter_1.pth', 'iter_2.pth.part'}
    assert files['iter_2.pth.part'] < 0.6 * files['iter_1.pth']
    latest = find_latest_checkpoint(folder / 'killed')  # what --resume takes
    assert Path(latest).name == 'iter_1.pth'
    assert_equal_states(checkpoint(folder / 'killed', 1), checkpoint(folder / 'whole', 1))


def test_the_same_data_in_the_same_order(folder):
    """Images with their flips and words; the processes have different ones."""
    for whole, resumed in zip(seen(folder / 'whole'), seen(folder / 'resumed'), strict=True):
        assert list(resumed) == [2, 3, 4]
        for iteration, notes in resumed.items():
            assert notes['samples'] == whole[iteration]['samples']
            assert notes['losses'] == pytest.approx(whole[iteration]['losses'], rel=1e-5)
    first, second = seen(folder / 'whole')
    for epoch in ((1, 2), (3, 4)):
        images = [rank[i]['samples'][0][0] for rank in (first, second) for i in epoch]
        assert sorted(images) == [1, 2, 3, 4]


def test_it_ends_as_if_nothing_had_happened(folder):
    ours, theirs = (checkpoint(folder / run, MAX_ITERS) for run in ('resumed', 'whole'))
    assert ours['meta']['iter'] == theirs['meta']['iter'] == MAX_ITERS
    assert ours['param_schedulers'] == theirs['param_schedulers']
    assert_equal_states(ours, theirs)


def test_the_learning_rate_goes_on(folder):
    log = (folder / 'resumed' / '0.log').read_text()
    assert 'resumed epoch: 0, iter: 1' in log
    pattern = rf'Iter\(train\) \[ *(\d+)/ *{MAX_ITERS}\].* lr: (\S+)'
    rates = {int(iteration): float(rate) for iteration, rate in re.findall(pattern, log)}
    assert rates == pytest.approx({i: RATES[i] for i in (2, 3, 4)}, rel=1e-3)
