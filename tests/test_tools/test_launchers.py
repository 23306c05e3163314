"""Trainings of two processes, started by torchrun and as slurm does; without a GPU."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parent / 'toy'
TRAIN = (str(ROOT / 'tools/train.py'), str(TOY / 'toy_recipe.py'))


def start(folder, *command, **variables):
    paths = os.pathsep.join(map(str, [ROOT, TOY]))
    return subprocess.Popen(
        [sys.executable, *command], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={
            **os.environ, 'PYTHONPATH': paths, 'CUDA_VISIBLE_DEVICES': '', 'OMP_NUM_THREADS': '1',
            **variables})


def finish(*processes):
    try:
        for process in processes:
            output = process.communicate(timeout=900)[0]
            assert process.returncode == 0, output[-3000:]
    finally:
        for process in processes:
            process.kill()


@pytest.fixture
def expected(tmp_path, monkeypatch):
    """The weights after a training of one process with batches of 8."""
    monkeypatch.syspath_prepend(TOY)
    cfg = Config.fromfile(TRAIN[1])
    cfg.train_dataloader.batch_size = 8
    cfg.optim_wrapper.optimizer.lr = 0.2
    cfg.update(work_dir=str(tmp_path / 'one'), experiment_name=str(tmp_path))
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner.model.state_dict()


def weights(folder):
    return torch.load(folder / 'work/iter_6.pth', weights_only=False)['state_dict']


def test_torchrun_with_a_scaled_learning_rate(tmp_path, expected):
    """2 processes with batches of 4, a learning rate of 0.1 for batches of 4."""
    finish(start(
        tmp_path, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2', *TRAIN,
        '--launcher', 'pytorch', '--work-dir', 'work', '--auto-scale-lr', '--cfg-options',
        'auto_scale_lr.base_batch_size=4'))
    torch.testing.assert_close(weights(tmp_path), expected, rtol=1e-5, atol=1e-6)
    log, = tmp_path.glob('work/*/vis_data/scalars.json')
    rates = [json.loads(line)['lr'] for line in log.read_text().splitlines()]
    assert rates == pytest.approx([0.1, 0.12, 0.14, 0.16, 0.18, 0.2])


def test_slurm(tmp_path, expected):
    """What srun sets for its tasks; MASTER_ADDR is set because there is no scontrol to ask."""
    with socket.socket() as listener:
        listener.bind(('localhost', 0))
        port = listener.getsockname()[1]
    finish(*[
        start(tmp_path, *TRAIN, '--launcher', 'slurm', '--work-dir', 'work', '--cfg-options',
              'optim_wrapper.optimizer.lr=0.2',
              SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank), SLURM_NTASKS='2',
              SLURM_NODELIST='localhost', MASTER_ADDR='localhost', MASTER_PORT=str(port))
        for rank in range(2)])
    torch.testing.assert_close(weights(tmp_path), expected, rtol=1e-5, atol=1e-6)
