"""Time a model's inference or training step, part by part.

python tools/analysis_tools/benchmark.py CONFIG [--train] [--size 1024] [--batch 1]
python tools/analysis_tools/benchmark.py CONFIG --compare OTHER_CONFIG
python tools/analysis_tools/benchmark.py CONFIG --compare batch=2 model.backbone.window_size=256
python tools/analysis_tools/benchmark.py CONFIG --sweep classes=10,100,1000
python tools/analysis_tools/benchmark.py CONFIG --size 1024 --compare official-arrangement

A line a part: its time, also of the processor in the program and in the system, page faults, its
operations, its share of the machine's peak (a large matrix product in the same precision, timed in
between) and the peak memory. Images and annotations are made up, and so are weights that are not
local. --compare times two models alternately and prints how many times faster the second is. With
"official-arrangement" the first is the same model with its parts put together as the official
release does, in float32; their results must be equal. --sweep repeats it all over a setting. Writes
OUT.json and OUT.png.
"""

from __future__ import annotations

import argparse
import ast
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import DictAction

if TYPE_CHECKING:
    from mmodise.benchmark.subject import Setting

OFFICIAL = 'official-arrangement'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, help='config file')
    parser.add_argument('--train', action='store_true', help='a step of training, not inference')
    parser.add_argument('--size', default='512', metavar='SIDE|HEIGHTxWIDTH', help='default: 512')
    parser.add_argument('--batch', type=int, default=1, help='images a call (default: 1)')
    parser.add_argument(
        '--precision', choices=['float32', 'bfloat16', 'float16'], default='float32',
        help="what autocast computes in (default: float32, which leaves it to the config); in "
        'training, as tools/train.py --amp')
    parser.add_argument(
        '--fast', action='store_true',
        help='frozen networks in bfloat16, if the device has it, as configs/_base_/fast.py')
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU if there is one)')
    parser.add_argument(
        '--num-classes', type=int, metavar='N',
        help="classes to look for, or to train on (default: the config's training vocabulary)")
    parser.add_argument(
        '--num-objects', type=int, default=10, metavar='N',
        help='masks an image to train on (default: 10)')
    parser.add_argument('--repeats', type=int, default=3, help='timed calls (default: 3)')
    parser.add_argument(
        '--few-calls', action='store_true',
        help='one call before the timed ones (of training two) in place of three, which counts '
        'operations and tells the memory. For models that take minutes')
    parser.add_argument(
        '--matmul-size', type=int, metavar='N',
        help='rows and columns of the matrices (default: 3072; on a GPU 8192)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', default={},
        help='override settings of the config')
    parser.add_argument(
        '--compare', nargs='+', metavar='CONFIG|KEY=VALUE',
        help='a second model: another config, or overridden settings, or both; also size, batch, '
        'precision, classes, objects; or official-arrangement alone, our own parts put together as '
        'the official release arranges its')
    parser.add_argument(
        '--sweep', metavar='KEY=VALUE,VALUE...', help='a setting to change, as in --compare')
    parser.add_argument(
        '--out', type=Path, metavar='STEM',
        help='what to write, without the endings (default: work_dirs/benchmark/CONFIG_NAME)')
    args = parser.parse_args(argv)
    if args.repeats < 1:
        parser.error('--repeats: at least 1')
    return args


def read_settings(args: argparse.Namespace) -> list[Setting]:
    """The setting, and the one that it is compared with.

    Raises:
        ValueError: If a value is not valid.
    """
    import torch

    from mmodise.benchmark.subject import Setting, read_size
    default = 'cuda' if torch.cuda.is_available() else 'cpu'
    fast = {'fast': True} if args.fast else {}
    setting = Setting(
        args.config, args.cfg_options | fast, args.train, read_size(args.size),
        device=args.device or default)
    numbers = dict(batch=args.batch, classes=args.num_classes, objects=args.num_objects,
                   precision=args.precision)
    for key, value in numbers.items():
        if value is not None:
            setting = setting.changed(key, value)
    if not args.compare:
        return [setting]
    if OFFICIAL in args.compare:
        if len(args.compare) > 1 or args.sweep:
            raise ValueError(
                f'--compare {OFFICIAL} stands alone: what both models have in common are options '
                'of the command, such as --batch 2; and there is no --sweep')
        return [replace(setting, official=True, precision='float32'), setting]
    first, *rest = args.compare
    other = setting
    if '=' not in first:
        other = replace(setting, config=Path(first), options=fast)
    else:
        rest = args.compare
    for item in rest:
        key, equals, value = item.partition('=')
        if not equals:
            raise ValueError(f'--compare: {item!r} is neither a config at the start nor KEY=VALUE')
        other = other.changed(key, _value(value))
    return [setting, other]


def read_sweep(text: str) -> tuple[str, list]:
    """The setting and its values.

    Raises:
        ValueError: If there is none.
    """
    key, equals, values = text.partition('=')
    if not equals or not values:
        raise ValueError(f'--sweep: {text!r} is not KEY=VALUE,VALUE...')
    return key, [_value(value) for value in values.split(',')]


def _value(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write."""
    args = parse_args(argv)
    # After the options, so that --help answers quickly.
    import mmodise  # noqa: F401

    # isort: split
    from mmengine.logging import MMLogger
    from tqdm import tqdm

    from mmodise.benchmark import bench
    from mmodise.benchmark.agreement import OutputsDiffer
    from mmodise.benchmark.machine import machine
    from mmodise.benchmark.timing import COUNTED, COVERS
    from mmodise.engine import tune_process
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    tune_process()
    try:
        settings, key, values = read_settings(args), None, [None]
        if args.sweep:
            key, values = read_sweep(args.sweep)
        points = bench.without_panoptic([
            [s.changed(key, value) if key else s for s in settings] for value in values])
        for setting in (setting for point in points for setting in point):
            setting.read_config()
    except (OSError, ValueError) as error:
        sys.exit(f'benchmark.py: {error}')
    stem = args.out or Path('work_dirs/benchmark', args.config.stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    found = []
    before = bench.calls_before(settings[0], args.few_calls)
    calls = len(points) * len(settings) * (before + args.repeats)
    with tqdm(total=calls, unit='call') as progress:
        measuring = bench.Bench(args.repeats, args.matmul_size, progress, args.few_calls)
        for value, point in zip(values, points, strict=True):
            try:
                found.append(measuring.run(point))
            except OutputsDiffer as error:
                sys.exit(f'benchmark.py: {error}')
            with progress.external_write_mode(file=sys.stdout):
                if key:
                    print(f'{key} = {value}')
                bench.show(found[-1])
    print(f'{machine()}\n{COVERS}\n{COUNTED}')
    bench.write(stem, found, key, values)


if __name__ == '__main__':
    main()
