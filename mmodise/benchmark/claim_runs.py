"""Trainings of the claims, each in a process of its own, some of them side by side."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from ..datasets.shapes_world.writer import make_missing
from .claim_report import BASELINE, CONFIGS, LINES, iterations_of, read_records
from .small_models import make_small_models
from .training_curve import read_losses

GRID = 10  # alpha and beta of the recipe at 0, 0.1 ... 1


class Run(NamedTuple):
    """A line trained with a seed."""

    line: str
    seed: int
    folder: Path

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


def unfinished_runs(args: argparse.Namespace) -> list[Run]:
    """Runs without a record, seed by seed, so that an early stop leaves comparable lines."""
    records = read_records(args.docs / 'claims/records.jsonl', args.max_iters)
    return [Run(line, seed, args.work_dir / line / f'seed_{seed}')
            for seed in args.seeds for line in args.lines if seed not in records[line]]


def start(run: Run, args: argparse.Namespace) -> subprocess.Popen:
    """Start the process of a run, which prints into its log."""
    run.folder.mkdir(parents=True, exist_ok=True)
    run.record.unlink(missing_ok=True)
    command = [sys.executable, '-m', 'mmodise.benchmark.claim_run',
               CONFIGS / LINES[run.line][0], '--seed', run.seed, '--work-dir', run.folder]
    if run.line == BASELINE:
        command += ['--grid', GRID]
    if args.max_iters:
        command += ['--max-iters', args.max_iters]
    if args.cfg_options:
        command += ['--cfg-options', *args.cfg_options]
    threads = dict(OMP_NUM_THREADS='1') if args.jobs > 1 else {}
    with run.log.open('a', encoding='utf-8') as log:
        return subprocess.Popen(
            [str(word) for word in command], env={**os.environ, **threads}, stdout=log,
            stderr=subprocess.STDOUT)


def train(runs: list[Run], args: argparse.Namespace) -> list[Run]:
    """Do the runs, as many side by side as asked for; returns those that failed."""
    records = args.docs / 'claims/records.jsonl'
    records.parent.mkdir(parents=True, exist_ok=True)
    lengths = {line: iterations_of(line, args.max_iters) for line in LINES}
    waiting, active, failed = list(runs), {}, []
    finished = 0  # iterations of the runs that have ended
    bar = tqdm(total=sum(lengths[run.line] for run in runs), unit='it', smoothing=0.05)
    try:
        while waiting or active:
            while waiting and len(active) < args.jobs:
                run = waiting.pop(0)
                active[run] = start(run, args)
            time.sleep(0.5)
            for run in [run for run, process in active.items() if process.poll() is not None]:
                process = active.pop(run)
                finished += lengths[run.line]
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


def prepare() -> None:
    """Make the data set and the random models where they are missing."""
    make_missing(Path('data/shapes'))
    folder = Path('data/small_models')
    if not (folder / 'stable_diffusion/model_index.json').is_file():
        make_small_models(folder)
