"""Time the loading of training images: each step of the pipeline, and what workers deliver.

python tools/analysis_tools/benchmark_loading.py CONFIG [--images 100] [--workers 1 2 4]

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
from pathlib import Path

from mmengine.config import DictAction


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


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    import mmodise  # noqa: F401

    # isort: split
    import torch
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope
    from tqdm import tqdm

    from mmodise.benchmark.charts import draw_bars
    from mmodise.benchmark.loading import table, time_steps, time_workers
    from mmodise.benchmark.machine import machine
    from mmodise.benchmark.subject import Setting
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
