"""Trainings in several processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RANKS = Path(__file__).parent / 'ranks'
TOY = Path(__file__).parent / 'toy'


@pytest.fixture(scope='session')
def run_ranks():
    """Give a function that runs tools/train.py several times, in one start.

    It takes a folder and, for each run, the name of its work folder in there, the number of
    processes and the options, in which RANK stands for the process's number. It returns, by name,
    for each process its exit code and what it printed.
    """

    def run(folder, **runs):
        plan = folder / 'runs.json'
        plan.write_text(json.dumps([
            [name, size, ['--work-dir', name, *options]]
            for name, (size, *options) in runs.items()]))
        paths = os.pathsep.join(map(str, [ROOT, RANKS, TOY, folder]))
        subprocess.run(
            [sys.executable, RANKS / 'run_ranks.py', plan], cwd=folder, check=True,
            env={**os.environ, 'PYTHONPATH': paths, 'OMP_NUM_THREADS': '1'},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=900)
        return {
            name: [
                (int((folder / name / f'{rank}.code').read_text()),
                 (folder / name / f'{rank}.log').read_text())
                for rank in range(size)]
            for name, (size, *_) in runs.items()}

    return run
