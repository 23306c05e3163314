"""The disk fills up: checkpoints really fail to be written, at a limit on the size of files."""

import itertools
import resource
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner, find_latest_checkpoint

import mmodise  # noqa: F401  registers the hook

TOY = Path(__file__).parents[1] / 'test_tools/toy'
LIMIT = 200_000  # bytes


def limit_file_size(size):
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


class FullDisk(Hook):
    """From an iteration on, files cannot be as large as checkpoints are."""

    def __init__(self, iteration):
        self.iteration = iteration

    def before_save_checkpoint(self, runner, checkpoint):
        checkpoint['ballast'] = torch.zeros(LIMIT, dtype=torch.uint8)
        if runner.iter + 1 >= self.iteration:
            limit_file_size(LIMIT)


@pytest.fixture
def train(monkeypatch, tmp_path):
    """Give a function that trains the toy for 6 iterations, a checkpoint every 2."""
    monkeypatch.syspath_prepend(TOY)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    count = itertools.count()

    def train(full_disk_at=None, work_dir=tmp_path, resume=None, **options):
        cfg = Config.fromfile(TOY / 'toy_recipe.py')
        cfg.default_hooks.checkpoint.update(type='SafeCheckpointHook', **options)
        run = next(count)  # runs of one process share mmengine's message hub unless named apart
        cfg.update(
            work_dir=str(work_dir), resume=run > 0, load_from=resume,
            experiment_name=f'{tmp_path}/{run}')
        if 'save_best' in options:
            cfg.update(val_dataloader=cfg.test_dataloader, val_evaluator=cfg.test_evaluator,
                       val_cfg=dict(type='ValLoop'))
            cfg.train_cfg.val_interval = 2
        runner = Runner.from_cfg(cfg)
        if full_disk_at is not None:
            runner.register_hook(FullDisk(full_disk_at))
        try:
            runner.train()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        return runner

    return train


def checkpoints(folder):
    return sorted(path.name for path in folder.glob('*.pth*'))


@pytest.mark.parametrize('max_keep_ckpts', [-1, 1])
def test_a_full_disk_stops_the_training_which_goes_on_from_before(train, tmp_path, max_keep_ckpts):
    with pytest.raises(OSError, match='make room') as info:
        train(full_disk_at=4, max_keep_ckpts=max_keep_ckpts)
    assert info.value.filename == str(tmp_path / 'iter_4.pth')
    assert checkpoints(tmp_path) == ['iter_2.pth']
    assert find_latest_checkpoint(str(tmp_path)) == str(tmp_path / 'iter_2.pth')
    assert torch.load(tmp_path / 'iter_2.pth', weights_only=False)['meta']['iter'] == 2
    resumed = train(max_keep_ckpts=max_keep_ckpts)
    assert resumed.iter == 6
    expected = ['iter_6.pth'] if max_keep_ckpts == 1 else ['iter_2.pth', 'iter_4.pth', 'iter_6.pth']
    assert checkpoints(tmp_path) == expected
    assert find_latest_checkpoint(str(tmp_path)) == str(tmp_path / 'iter_6.pth')


def test_the_pointer_to_the_last_checkpoint_is_whole_or_as_before(train, tmp_path, monkeypatch):
    def save_and_fill_the_disk(runner, *args, save=Runner.save_checkpoint, **kwargs):
        save(runner, *args, **kwargs)
        if runner.iter + 1 == 4:
            limit_file_size(0)

    with monkeypatch.context() as patch:
        patch.setattr(Runner, 'save_checkpoint', save_and_fill_the_disk)
        with pytest.raises(OSError, match='last_checkpoint'):
            train(max_keep_ckpts=1)
    assert checkpoints(tmp_path) == ['iter_2.pth', 'iter_4.pth']
    assert find_latest_checkpoint(str(tmp_path)) == str(tmp_path / 'iter_2.pth')


def test_the_best_checkpoint_is_kept_until_there_is_a_better_one(train, tmp_path):
    options = dict(save_best='error', rule='less', max_keep_ckpts=1)
    with pytest.raises(OSError, match=r'best_error_iter_4\.pth'):
        train(full_disk_at=5, **options)
    assert checkpoints(tmp_path) == ['best_error_iter_2.pth', 'iter_4.pth']
    train(**options)
    assert checkpoints(tmp_path) == ['best_error_iter_6.pth', 'iter_6.pth']


def test_a_copied_run_goes_on_from_its_own_and_removes_nothing_of_the_original(train, tmp_path):
    first, copied = tmp_path / 'A', tmp_path / 'B'
    options = dict(save_best='error', rule='less', max_keep_ckpts=1)
    with pytest.raises(OSError, match=r'iter_4\.pth'):
        train(full_disk_at=4, work_dir=first, **options)
    shutil.copytree(first, copied)
    before = {path.name: path.read_bytes() for path in first.iterdir() if path.is_file()}
    runner = train(work_dir=copied, **options)
    assert runner.iter == 6 and checkpoints(copied) == ['best_error_iter_6.pth', 'iter_6.pth']
    assert {p.name: p.read_bytes() for p in first.iterdir() if p.is_file()} == before
    assert find_latest_checkpoint(str(copied)) == str(copied / 'iter_6.pth')


def test_a_run_resumed_from_anothers_checkpoint_removes_none_of_it(train, tmp_path):
    first, other = tmp_path / 'A', tmp_path / 'B'
    options = dict(save_best='error', rule='less')
    with pytest.raises(OSError, match=r'iter_4\.pth'):
        train(full_disk_at=4, work_dir=first, **options)
    before = checkpoints(first)
    train(work_dir=other, resume=str(first / 'iter_2.pth'), **options)
    assert checkpoints(first) == before == ['best_error_iter_2.pth', 'iter_2.pth']
    assert 'best_error_iter_6.pth' in checkpoints(other)


def test_a_moved_run_without_its_checkpoint_says_so(train, tmp_path):
    first, moved = tmp_path / 'A', tmp_path / 'B'
    with pytest.raises(OSError, match=r'iter_4\.pth'):
        train(full_disk_at=4, work_dir=first)
    moved.mkdir()
    shutil.copy(first / 'last_checkpoint', moved)
    with pytest.raises(FileNotFoundError, match=r'iter_2\.pth is not in .*B\. .*--resume'):
        train(work_dir=moved)
