"""Trainings that are compared, each in a process of its own, some of them side by side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from .training_curve import read_losses


class Run(NamedTuple):
    """A line of a comparison, trained with a seed.

    Args:
        line (str): Its name.
        seed (int): Of the random numbers.
        folder (Path): Gets what the process prints, and its record.
        command (tuple): What the Python interpreter is started with.
        length (int): Iterations of the training.
    """

    line: str
    seed: int
    folder: Path
    command: tuple
    length: int

    @property
    def iteration(self) -> int:
        """The last one that was logged; 0 if that is not known."""
        try:
            return max(read_losses(self.folder), default=0)
        except json.JSONDecodeError:  # a line that is just being written
            return 0

    @property
    def record(self) -> Path:
        """What the process writes when it has finished."""
        return self.folder / 'record.json'

    @property
    def log(self) -> Path:
        """What the process prints."""
        return self.folder / 'console.log'


def start(run: Run, threads: int | None = None) -> subprocess.Popen:
    """Start the process of a run, which prints into its log."""
    run.folder.mkdir(parents=True, exist_ok=True)
    run.record.unlink(missing_ok=True)
    limit = {} if threads is None else dict(OMP_NUM_THREADS=str(threads))
    with run.log.open('a', encoding='utf-8') as log:
        return subprocess.Popen(
            [sys.executable, *map(str, run.command)], env={**os.environ, **limit}, stdout=log,
            stderr=subprocess.STDOUT)


def finish(runs: Sequence[Run], records: Path, jobs: int = 1) -> list[Run]:
    """Do runs, and add the record of each to a file as soon as it has finished.

    Args:
        runs (Sequence[Run]): What is left to do.
        records (Path): Gets a record a line.
        jobs (int): Runs side by side, of one thread each where more than one. Defaults to 1.

    Returns:
        list[Run]: Those that failed.
    """
    records.parent.mkdir(parents=True, exist_ok=True)
    waiting, active, failed = list(runs), {}, []
    finished = 0  # iterations of the runs that have ended
    bar = tqdm(total=sum(run.length for run in runs), unit='it', smoothing=0.05)
    try:
        while waiting or active:
            while waiting and len(active) < jobs:
                run = waiting.pop(0)
                active[run] = start(run, 1 if jobs > 1 else None)
            time.sleep(0.5)
            for run in [run for run, process in active.items() if process.poll() is not None]:
                process = active.pop(run)
                finished += run.length
                if process.returncode:
                    failed.append(run)
                    bar.write(f'{run.line}, seed {run.seed}: failed, see {run.log}')
                else:
                    with records.open('a', encoding='utf-8') as file:
                        file.write(run.record.read_text(encoding='utf-8') + '\n')
                    bar.write(f'{run.line}, seed {run.seed}: finished')
            bar.n = max(bar.n, finished + sum(run.iteration for run in active))
            bar.set_description(', '.join(f'{run.line} {run.seed}' for run in active))
    finally:
        for process in active.values():  # left only where this one was interrupted
            process.terminate()
            process.wait()
        bar.close()
    return failed
