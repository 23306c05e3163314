"""Time the Python API: the first question about a picture and later ones, names, folders.

python tools/analysis_tools/benchmark_questions.py CONFIG [--size 512 1024x2048] [--names 10000]
    [--folder 200 --weights FILE]

Without --weights, all weights are random: they take as much time. A first question is that of
ODISEInferencer.open and of its session, a later one that of the session alone. --names times
a new vocabulary until its first result, with names that CLIP embeds, and from a file of
save_vocabulary. --folder compares the images a second of ODISEInferencer with those of a plain
loop over mmdet's DetInferencer.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from mmengine.config import DictAction


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, help='config file')
    parser.add_argument(
        '--size', nargs='*', default=['512'], metavar='SIDE',
        help='sides of pictures, or HEIGHTxWIDTH (default: 512)')
    parser.add_argument('--repeats', type=int, default=3, help='of each question (default: 3)')
    parser.add_argument('--names', type=int, metavar='N', help='of a new vocabulary')
    parser.add_argument('--folder', type=int, metavar='N', help='pictures of a folder')
    parser.add_argument('--weights', help='checkpoint, for --folder')
    parser.add_argument('--device', default='cpu', help='such as cuda:0 (default: cpu)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE',
        help='override settings of the config')
    parser.add_argument('--out', type=Path, metavar='FILE', help='JSON to write')
    args = parser.parse_args(argv)
    if args.folder and not args.weights:
        parser.error('--folder needs --weights: mmdet would label with random ones')
    return args


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    import mmodise  # noqa: F401

    # isort: split
    from mmengine.logging import MMLogger

    from mmodise.benchmark.machine import machine
    from mmodise.benchmark.questions import (
        random_inferencer,
        table,
        time_folder,
        time_names,
        time_questions,
    )
    from mmodise.benchmark.subject import Setting, read_size
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    try:
        sizes = [read_size(size) for size in args.size]
        setting = Setting(args.config, args.cfg_options, device=args.device)
        figures = {}
        if sizes or args.names:
            inferencer = random_inferencer(setting)
        for height, width in sizes:
            found = time_questions(inferencer, (height, width), args.repeats)
            name = f'{height} x {width}'
            figures[f'{name}: first question, s'] = round(found['first'], 4)
            figures[f'{name}: later questions, s'] = round(found['later'], 4)
            figures[f'{name}: of the first, %'] = round(
                100 * found['later'] / found['first'], 2)
            figures[f'{name}: session, MiB'] = round(found['bytes'] / 2**20, 2)
            figures[f'{name}: segments'] = found['segments']
        if args.names:
            found = time_names(inferencer, args.names)
            figures[f'{args.names} names embedded, s'] = round(found['embedded'], 2)
            figures[f'{args.names} names saved before, s'] = round(found['saved'], 2)
            figures[f'{args.names} names, MiB'] = round(found['bytes'] / 2**20, 2)
        if args.folder:
            rates = time_folder(args.config, args.weights, args.device, args.folder, 128)
            figures |= {f'{name}, images a second': round(rate, 2)
                        for name, rate in rates.items()}
    except (OSError, ValueError) as error:
        sys.exit(f'benchmark_questions.py: {error}')
    print(table(figures))
    print(machine())
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(dict(
            config=str(args.config), machine=machine(), **figures), indent=1) + '\n',
            encoding='utf-8')


if __name__ == '__main__':
    main()
