"""The trainings of the comparison of fine-tunings, and their data."""

from __future__ import annotations

import argparse
import os

from mmengine.config import Config

from ..datasets.shapes_world.writer import NUM_IMAGES, is_drawn, make_split
from .comparison import CONFIGS
from .finetuning_report import BEFORE, LINES, read_records
from .finetuning_run import ANNOTATED
from .runs import Run

NUM_OWN = 60  # drawn; some half of them show a class that is annotated


def unfinished_runs(args: argparse.Namespace) -> list[Run]:
    """Runs without a record; what was before has one seed."""
    records = read_records(args.docs / 'finetuning/records.jsonl')
    wanted = [(line, seed) for seed in args.seeds for line in args.lines
              if line != BEFORE or seed == args.seeds[0]]
    return [make_run(line, seed, args) for line, seed in wanted if seed not in records[line]]


def make_run(line: str, seed: int, args: argparse.Namespace) -> Run:
    """A line with a seed, and how it is started."""
    folder = args.work_dir / line / f'seed_{seed}'
    command = ['-m', 'mmodise.benchmark.finetuning_run', CONFIGS / LINES[line], '--seed', seed,
               '--own', args.work_dir / f'data/own_{seed}',
               '--original', args.work_dir / 'data/original', '--test', args.work_dir / 'data/test',
               '--work-dir', folder]
    length = 0 if line == BEFORE else args.max_iters
    if length is not None:
        command += ['--max-iters', length]
    else:
        length = Config.fromfile(CONFIGS / LINES[line]).train_cfg.max_iters
    return Run(line, seed, folder, tuple(command), length)


def prepare(args: argparse.Namespace) -> None:
    """Draw the data where they are missing; own pictures of a seed are no others' and no test's."""
    workers = min(os.cpu_count() or 1, 8)
    data = args.work_dir / 'data'
    jobs = [('train', NUM_IMAGES['train'], data / 'original', 0, {}),
            ('val', args.num_test, data / 'test', 0, {})]
    jobs += [('val', NUM_OWN, data / f'own_{seed}', seed + 1, dict(annotated=ANNOTATED))
             for seed in args.seeds]
    for split, count, folder, seed, options in jobs:
        if not is_drawn(folder, split):
            make_split(split, count, folder, seed, workers, **options)
