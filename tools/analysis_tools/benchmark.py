"""Time a model's inference or training step, part by part.

python tools/benchmark.py CONFIG [--train] [--size 1024] [--batch 1] [--precision bfloat16]
python tools/benchmark.py CONFIG --compare OTHER_CONFIG
python tools/benchmark.py CONFIG --compare batch=2 model.backbone.window_size=256
python tools/benchmark.py CONFIG --sweep classes=10,100,1000
python tools/benchmark.py CONFIG --size 512 --official

A line a part: its time, its operations, its share of the machine's peak (a large matrix product in
the same precision, timed in between) and the peak memory. Images and annotations are made up, and
so are weights that are not local. --compare times two models alternately and prints how many times
faster the second is. --sweep repeats it all over a setting. Writes OUT.json and OUT.png.
"""

from __future__ import annotations

import argparse
import ast
import json
import logging
import statistics
import sys
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

import mmodise  # noqa: F401  completes the installation, where needed, for the libraries below

# isort: split
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmengine.config import DictAction
from mmengine.logging import MMLogger

from mmodise.benchmark.machine import MatrixProduct, machine
from mmodise.benchmark.report import (
    against_official,
    comparison_table,
    draw_official,
    draw_parts,
    draw_sweep,
    official_of,
    official_table,
    ratios_of,
    record_of,
    sentences,
    table,
)
from mmodise.benchmark.subject import PRECISIONS, Setting, Subject, read_size
from mmodise.benchmark.timing import COUNTED, COVERS, measure

_BEFORE = 3  # calls of each model before those that are timed


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, help='config file')
    parser.add_argument('--train', action='store_true', help='a step of training, not inference')
    parser.add_argument('--size', default='512', metavar='SIDE|HEIGHTxWIDTH', help='default: 512')
    parser.add_argument('--batch', type=int, default=1, help='images a call (default: 1)')
    parser.add_argument(
        '--precision', choices=PRECISIONS, default='float32',
        help="what autocast computes in (default: float32, which leaves it to the config); in "
        'training, as tools/train.py --amp')
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU if there is one)')
    parser.add_argument(
        '--num-classes', type=int, metavar='N',
        help="classes to look for, or to train on (default: the config's training vocabulary)")
    parser.add_argument(
        '--num-objects', type=int, default=10, metavar='N',
        help='masks an image to train on (default: 10)')
    parser.add_argument('--repeats', type=int, default=3, help='timed calls (default: 3)')
    parser.add_argument(
        '--matmul-size', type=int, metavar='N',
        help='rows and columns of the matrices (default: 3072; on a GPU 8192)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', default={},
        help='override settings of the config')
    parser.add_argument(
        '--compare', nargs='+', metavar='CONFIG|KEY=VALUE',
        help='a second model: another config, or overridden settings, or both; also size, batch, '
        'precision, classes, objects')
    parser.add_argument(
        '--sweep', metavar='KEY=VALUE,VALUE...', help='a setting to change, as in --compare')
    parser.add_argument(
        '--official', action='store_true',
        help="compare with the official release's figures, in seconds x matmul rate")
    parser.add_argument(
        '--out', type=Path, metavar='STEM',
        help='what to write, without the endings (default: work_dirs/benchmark/CONFIG_NAME)')
    args = parser.parse_args(argv)
    if args.repeats < 1:
        parser.error('--repeats: at least 1')
    if args.official and (args.compare or args.sweep):
        parser.error('--official goes with neither --compare nor --sweep')
    return args


def read_settings(args: argparse.Namespace) -> list[Setting]:
    """The setting, and the one that it is compared with.

    Raises:
        ValueError: If a value is not valid.
    """
    default = 'cuda' if torch.cuda.is_available() else 'cpu'
    setting = Setting(
        args.config, args.cfg_options, args.train, read_size(args.size),
        device=args.device or default)
    numbers = dict(batch=args.batch, classes=args.num_classes, objects=args.num_objects,
                   precision=args.precision)
    for key, value in numbers.items():
        if value is not None:
            setting = setting.changed(key, value)
    if not args.compare:
        return [setting]
    first, *rest = args.compare
    other = setting
    if '=' not in first:
        other = replace(setting, config=Path(first), options={})
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


def without_panoptic(points: list[list[Setting]]) -> list[list[Setting]]:
    """Switch panoptic results off everywhere, if some vocabulary is too large for them."""
    largest = max(setting.classes or 0 for point in points for setting in point)
    if largest < INSTANCE_OFFSET or points[0][0].training:
        return points
    print(f'{largest} classes are more than panoptic results can hold; none are made.')
    return [[setting.changed('model.test_cfg.panoptic_on', False) for setting in point]
            for point in points]


class Bench:
    """Measures points one after another, and keeps models as long as they fit.

    Args:
        repeats (int): Timed calls.
        matmul_size (int, optional): Rows and columns of the matrices.
        progress (tqdm): Moved on after each call.
    """

    def __init__(self, repeats: int, matmul_size: int | None, progress: tqdm) -> None:
        self._repeats, self._matmul_size, self._progress = repeats, matmul_size, progress
        self._subjects: list[Subject] = []

    def run(self, settings: list[Setting]) -> dict:
        """Measure one setting, or two alternately: 'runs', 'matmul' and, of two, 'ratios'."""
        if [s.setting.built_with for s in self._subjects] != [s.built_with for s in settings]:
            self._subjects = []  # the old ones go before the new ones come
            for setting in settings:
                self._progress.set_description('building the model')
                self._subjects.append(Subject(setting))
            for other in self._subjects[1:]:
                other.share_frozen(self._subjects[0])
        for subject, setting in zip(self._subjects, settings, strict=True):
            subject.use(setting)
        self._progress.set_description('calls')
        device = torch.device(settings[0].device)
        products = {name: MatrixProduct(device, name, self._matmul_size)
                    for name in dict.fromkeys(setting.precision for setting in settings)}
        measured, rates = measure(self._subjects, self._repeats, products, self._progress.update)
        runs = [record_of(subject, result, rates[subject.setting.precision])
                for subject, result in zip(self._subjects, measured, strict=True)]
        found = dict(runs=runs, matmul={
            name: dict(side=product.side, rates=rates[name]) for name, product in products.items()})
        if len(runs) == 2:
            found['ratios'] = ratios_of(*runs)
        return found


def show(point: dict) -> None:
    """Print what was found at a point."""
    runs = point['runs']
    if len(runs) == 2:
        for name, run in zip('AB', runs, strict=True):
            print(f'{name}: {run["config"]} {run["options"] or ""}')
        print(comparison_table(*runs, point['ratios']))
    else:
        print(table(runs[0]))
    for name, run in zip('AB', runs, strict=False):
        prefix = f'{name}: ' if len(runs) == 2 else ''
        print('\n'.join(prefix + sentence for sentence in sentences(run)))
    for precision, matmul in point['matmul'].items():
        rates = [rate / 1e9 for rate in matmul['rates']]
        print(f'Matrix product, {matmul["side"]} cubed, {precision}: '
              f'{statistics.median(rates):,.1f} GFLOP/s, {min(rates):,.1f} to {max(rates):,.1f} in '
              'the course of the run.')
    print()


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write."""
    args = parse_args(argv)
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    try:
        settings, key, values = read_settings(args), None, [None]
        if args.sweep:
            key, values = read_sweep(args.sweep)
        points = without_panoptic([
            [s.changed(key, value) if key else s for s in settings] for value in values])
        for setting in (setting for point in points for setting in point):
            setting.read_config()
        official = official_of(settings[0]) if args.official else None
    except (OSError, ValueError) as error:
        sys.exit(f'benchmark.py: {error}')
    stem = args.out or Path('work_dirs/benchmark', args.config.stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    found = []
    calls = len(points) * len(settings) * (_BEFORE + args.repeats)
    with tqdm(total=calls, unit='call') as progress:
        bench = Bench(args.repeats, args.matmul_size, progress)
        for value, point in zip(values, points, strict=True):
            found.append(bench.run(point))
            with progress.external_write_mode(file=sys.stdout):
                if key:
                    print(f'{key} = {value}')
                show(found[-1])
    print(f'{machine()}\n{COVERS}\n{COUNTED}')
    write(stem, found, key, values, official)


def write(
    stem: Path, points: list[dict], key: str | None, values: list, official: dict | None
) -> None:
    """Write JSON and a chart; print the comparison with the official release, if asked for."""
    result = dict(
        machine=machine(), covers=COVERS, counted=COUNTED,
        sweep=key, values=values, points=points)
    picture = stem.with_name(f'{stem.name}.png')
    runs = points[0]['runs']
    if official:
        result['official'] = against_official(runs[0], official)
        print(f'{official_table(result["official"])}\nOfficial: {official["what"]}.')
        draw_official(result['official'], picture)
    elif key:
        draw_sweep(key, values, [point['runs'] for point in points], picture)
    else:
        names = ('A', 'B') if len(runs) == 2 else (Path(runs[0]['config']).stem, )
        draw_parts(dict(zip(names, runs, strict=True)), picture)
    file = stem.with_name(f'{stem.name}.json')
    file.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    print(f'{file}, {picture}')


if __name__ == '__main__':
    main()
