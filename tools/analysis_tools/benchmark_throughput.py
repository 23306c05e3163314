"""Time many pictures: a folder and a test, one by one and overlapped.

python tools/analysis_tools/benchmark_throughput.py CONFIG WEIGHTS [--size 128 1024]
    [--pictures 200] [--test] [--pretend SECONDS]

Draws a folder of JPEG files of each size and counts the pictures a second of predict, with its
files, and of a stream of ODISEInferencer's that is plotted; with --test also those of a test
on the config's test data, whose figures must be the same. Overlapped is how they work with a GPU:
the next picture is read and the result before is written, or seen to by metrics, while the network
computes. --pretend takes a network that only waits so long for each picture, as if a GPU computed,
and with --test also times the metrics of pictures like COCO's beside it. Both ways are timed in
turns, in one process.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from pathlib import Path

from mmengine.config import DictAction


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, help='config file')
    parser.add_argument('weights', help='checkpoint')
    parser.add_argument(
        '--size', nargs='*', default=['128'], metavar='SIDE',
        help='sides of pictures of a folder, or HEIGHTxWIDTH (default: 128)')
    parser.add_argument('--pictures', type=int, default=200, help='of a folder (default: 200)')
    parser.add_argument('--test', action='store_true', help='also a test on the test data')
    parser.add_argument('--rounds', type=int, default=3, help='of each way (default: 3)')
    parser.add_argument('--pretend', type=float, metavar='SECONDS',
                        help='that a picture takes in a network that only waits')
    parser.add_argument('--device', help='such as cuda:0 (default: a GPU if there is one)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE',
        help='override settings of the config')
    parser.add_argument('--out', type=Path, metavar='FILE', help='JSON to write')
    args = parser.parse_args(argv)
    if min(args.pictures, args.rounds) < 1:
        parser.error('--pictures and --rounds: at least 1')
    return args


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    import mmodise  # noqa: F401

    # isort: split
    from mmengine.logging import MMLogger

    from mmodise.apis import ODISEInferencer
    from mmodise.benchmark.machine import machine
    from mmodise.benchmark.subject import read_size
    from mmodise.benchmark.throughput import (
        draw_folder,
        table,
        time_folder,
        time_metrics,
        time_test,
    )
    from mmodise.engine import launched, load_config
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    found = {}
    try:
        cfg = load_config(args.config, args.cfg_options)
        if args.size:
            inferencer = ODISEInferencer(cfg, args.weights, args.device)
        for size in args.size:
            with tempfile.TemporaryDirectory() as folder:
                paths = draw_folder(Path(folder), args.pictures, read_size(size))
                rates = time_folder(inferencer, paths, args.rounds, args.pretend)
            found |= {f'{size}, {name}': rate for name, rate in rates.items()}
        if args.test:
            cfg.load_from = args.weights
            with launched(cfg):
                found |= time_test(cfg, args.rounds, args.pretend)
                if args.pretend is not None:
                    found |= time_metrics(args.pictures, args.rounds, args.pretend)
    except (OSError, ValueError) as error:
        sys.exit(f'benchmark_throughput.py: {error}')
    print(table(found))
    print(machine())
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(dict(
            config=str(args.config), pretend=args.pretend, machine=machine(),
            pictures_a_second=found), indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
