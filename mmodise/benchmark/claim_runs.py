"""The trainings of a comparison."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..datasets.shapes_world.writer import make_missing
from .comparison import BASELINE, CONFIGS, Comparison
from .runs import Run
from .small_models import make_small_models


def unfinished_runs(comparison: Comparison, args: argparse.Namespace) -> list[Run]:
    """Runs without a record, seed by seed, so that an early stop leaves comparable lines."""
    records = comparison.read_records(args.docs, args.max_iters)
    return [make_run(comparison, line, seed, args)
            for seed in args.seeds for line in args.lines if seed not in records[line]]


def make_run(comparison: Comparison, line: str, seed: int, args: argparse.Namespace) -> Run:
    """A line with a seed, and how it is started."""
    folder = args.work_dir / line / f'seed_{seed}'
    command = ['-m', 'mmodise.benchmark.claim_run', CONFIGS / comparison.lines[line][0],
               '--seed', seed, '--work-dir', folder]
    if line == BASELINE and comparison.grid:
        command += ['--grid', comparison.grid]
    if comparison.classifiers:
        command += ['--classifiers-of', comparison.name]
    if args.max_iters:
        command += ['--max-iters', args.max_iters]
    if args.cfg_options:
        command += ['--cfg-options', *args.cfg_options]
    return Run(line, seed, folder, tuple(command), comparison.iterations_of(line, args.max_iters))


def prepare() -> None:
    """Make the data set and the random models where they are missing."""
    make_missing(Path('data/shapes'))
    folder = Path('data/small_models')
    if not (folder / 'stable_diffusion/model_index.json').is_file():
        make_small_models(folder)
