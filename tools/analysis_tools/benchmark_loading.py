"""Time the loading of training images: each step of the pipeline, and what workers deliver.

python tools/benchmark_loading.py CONFIG [--images 100] [--workers 1 2 4]

Reads, decodes and augments the images of the config's train_dataloader, first in this process,
step by step, then by worker processes as in a training. A training waits for data where all its
workers together deliver fewer images a second than its GPUs take. Writes OUT.json and OUT.png.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import torch
from tqdm import tqdm

import mmodise  # noqa: F401  completes the installation, where needed, for the libraries below

# isort: split
from mmengine.config import ConfigDict, DictAction
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmodise.benchmark.charts import draw_bars
from mmodise.benchmark.machine import machine
from mmodise.benchmark.report import ascii_table
from mmodise.benchmark.subject import Setting


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, help='config file')
    parser.add_argument('--images', type=int, default=100, help='of each run (default: 100)')
    parser.add_argument(
        '--workers', type=int, nargs='+', default=[1], metavar='N',
        help='worker processes, a run each (default: 1)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE',
        help='override settings of the config')
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/benchmark/loading'), metavar='STEM',
        help='what to write, without the endings (default: work_dirs/benchmark/loading)')
    args = parser.parse_args(argv)
    if args.images < 1 or min(args.workers) < 1:
        parser.error('--images and --workers: at least 1')
    return args


class TimedStep:
    """A step of a pipeline, and the seconds that it took for each image.

    Args:
        step (Callable): The step itself.
        seconds (list[float]): Where its times are noted.
    """

    def __init__(self, step: Callable, seconds: list[float]) -> None:
        self._step, self._seconds = step, seconds

    def __call__(self, results: dict) -> dict | None:
        """Do the step; None where it refuses the image."""
        start = time.perf_counter()
        results = self._step(results)
        self._seconds.append(time.perf_counter() - start)
        return results


def pipelines(dataset: object) -> Iterator[object]:
    """The pipelines of a data set, and of those that it is made of."""
    if hasattr(dataset, 'pipeline'):
        yield dataset.pipeline
    inner = [*getattr(dataset, 'datasets', ()), getattr(dataset, 'dataset', None)]
    for part in inner:
        if part is not None:
            yield from pipelines(part)


def time_steps(loading: ConfigDict, images: int, advance: Callable) -> dict[str, list[float]]:
    """Seconds of each step for each image, in this process, by name."""
    loader = Runner.build_dataloader(
        loading | dict(num_workers=0, persistent_workers=False, batch_size=1), seed=0)
    seconds = defaultdict(list)
    for pipeline in pipelines(loader.dataset):
        pipeline.transforms = [
            TimedStep(step, seconds[type(step).__name__]) for step in pipeline.transforms]
    for _ in islice(loader, images):
        advance()
    return dict(seconds)


def time_workers(loading: ConfigDict, images: int, workers: int, advance: Callable) -> float:
    """Images a second that worker processes deliver to a training that takes no time."""
    loader = Runner.build_dataloader(
        loading | dict(num_workers=workers, persistent_workers=False), seed=0)
    # what is being made while the first batch is delivered comes before the clock starts
    ahead, batches = workers * (loader.prefetch_factor or 1), math.ceil(images / loader.batch_size)
    for number, _ in enumerate(islice(loader, ahead + batches)):
        if number < ahead:
            start = time.perf_counter()
        else:
            advance(loader.batch_size)
    if number < ahead:
        raise ValueError(
            f'The images end with batch {number + 1}, before the workers are at speed; give the '
            'data loader a sampler without an end (InfiniteSampler), or take fewer workers.')
    return (number + 1 - ahead) * loader.batch_size / (time.perf_counter() - start)


def table(steps: dict[str, list[float]]) -> str:
    """A line a step."""
    whole = sum(sum(seconds) for seconds in steps.values())
    images = max(map(len, steps.values()))
    return ascii_table([
        ['step', 'ms an image', 'at most', 'of all'],
        *([name, f'{1000 * statistics.mean(seconds):.1f}', f'{1000 * max(seconds):.1f}',
           f'{100 * sum(seconds) / whole:.1f} %'] for name, seconds in steps.items()),
        ['in all', f'{1000 * whole / images:.1f}', '', '100.0 %']])


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write."""
    args = parse_args(argv)
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    torch.set_num_threads(1)  # as in a worker
    try:
        config = Setting(args.config, args.cfg_options).read_config()
        init_default_scope(config.get('default_scope') or 'mmdet')
        batch = config.train_dataloader.batch_size
        by_workers = math.ceil(args.images / batch) * batch * len(args.workers)
        with tqdm(total=args.images + by_workers, unit='image') as progress:
            progress.set_description('steps')
            steps = time_steps(config.train_dataloader, args.images, progress.update)
            rates = {}
            for workers in args.workers:
                progress.set_description(f'by {workers} in parallel')
                rates[workers] = time_workers(
                    config.train_dataloader, args.images, workers, progress.update)
    except (OSError, ValueError) as error:
        sys.exit(f'benchmark_loading.py: {error}')
    print(table(steps))
    for workers, rate in rates.items():
        print(f'{workers} worker{"s" * (workers > 1)}: {rate:.1f} images a second')
    print(machine())
    args.out.parent.mkdir(parents=True, exist_ok=True)
    file, picture = (args.out.with_name(f'{args.out.name}{end}') for end in ('.json', '.png'))
    file.write_text(json.dumps(dict(
        config=str(args.config), images=args.images, machine=machine(),
        steps_seconds=steps, images_a_second=rates), indent=1) + '\n', encoding='utf-8')
    draw_bars(list(steps), {'this process': [
        (1000 * statistics.mean(seconds), 1000 * statistics.pstdev(seconds))
        for seconds in steps.values()]}, picture, title=f'Loading, {args.config.stem}',
        xlabel='ms an image (mean, spread over images)')
    print(f'{file}, {picture}')


if __name__ == '__main__':
    main()
