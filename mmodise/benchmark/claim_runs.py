"""The trainings of the claims."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..datasets.shapes_world.writer import make_missing
from .claim_report import BASELINE, CONFIGS, LINES, iterations_of, read_records
from .runs import Run, finish
from .small_models import make_small_models

GRID = 10  # alpha and beta of the recipe at 0, 0.1 ... 1


def unfinished_runs(args: argparse.Namespace) -> list[Run]:
    """Runs without a record, seed by seed, so that an early stop leaves comparable lines."""
    records = read_records(args.docs / 'claims/records.jsonl', args.max_iters)
    return [make_run(line, seed, args)
            for seed in args.seeds for line in args.lines if seed not in records[line]]


def make_run(line: str, seed: int, args: argparse.Namespace) -> Run:
    """A line with a seed, and how it is started."""
    folder = args.work_dir / line / f'seed_{seed}'
    command = ['-m', 'mmodise.benchmark.claim_run', CONFIGS / LINES[line][0], '--seed', seed,
               '--work-dir', folder]
    if line == BASELINE:
        command += ['--grid', GRID]
    if args.max_iters:
        command += ['--max-iters', args.max_iters]
    if args.cfg_options:
        command += ['--cfg-options', *args.cfg_options]
    return Run(line, seed, folder, tuple(command), iterations_of(line, args.max_iters))


def train(runs: list[Run], args: argparse.Namespace) -> list[Run]:
    """Do the runs, as many side by side as asked for; returns those that failed."""
    return finish(runs, args.docs / 'claims/records.jsonl', args.jobs)


def prepare() -> None:
    """Make the data set and the random models where they are missing."""
    make_missing(Path('data/shapes'))
    folder = Path('data/small_models')
    if not (folder / 'stable_diffusion/model_index.json').is_file():
        make_small_models(folder)
