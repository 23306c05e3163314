"""Measuring one setting or two, over the values of another; printing and writing what was found."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from datetime import date
from pathlib import Path

import torch
from mmdet.evaluation.functional import INSTANCE_OFFSET
from tqdm import tqdm

from .agreement import check_agreement, compare_outputs
from .agreement import sentences as in_words
from .heap import without_large_free_blocks
from .machine import HostMemory, MatrixProduct, machine
from .official_arrangement import in_float32
from .report import (
    comparison_table,
    draw_parts,
    draw_sweep,
    ratios_of,
    record_of,
    sentences,
    table,
)
from .side_by_side import deviation_text
from .subject import Setting, Subject
from .timing import COUNTED, COVERS, measure


def calls_before(setting: Setting, few_calls: bool) -> int:
    """Calls of each model before those that are timed, see :func:`measure`."""
    return 3 if not few_calls else 2 if setting.training else 1


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
        few_calls (bool): As in :func:`measure`. Defaults to False.
    """

    def __init__(
        self, repeats: int, matmul_size: int | None, progress: tqdm, few_calls: bool = False
    ) -> None:
        self._repeats, self._matmul_size, self._progress = repeats, matmul_size, progress
        self._few_calls = few_calls
        self._subjects: list[Subject] = []

    def run(self, settings: list[Setting]) -> dict:
        """Measure one setting, or two alternately.

        Returns:
            dict: 'runs', 'matmul' and, of two, 'ratios'; how far they agree as 'agreement', if one
            of them is the official arrangement.

        Raises:
            OutputsDiffer: If that one's results are others, and both compute in float32.
        """
        if [s.setting.built_with for s in self._subjects] != [s.built_with for s in settings]:
            self._subjects = []  # the old ones go before the new ones come
            for setting in settings:
                self._progress.set_description('building the model')
                self._subjects.append(Subject(setting))
            for other in self._subjects[1:]:
                other.share_frozen(self._subjects[0])
        for subject, setting in zip(self._subjects, settings, strict=True):
            subject.use(setting)
        agreed = {}
        check = self._checking(agreed) if settings[0].official else None
        self._progress.set_description('calls')
        device = torch.device(settings[0].device)
        products = {name: MatrixProduct(device, name, self._matmul_size)
                    for name in dict.fromkeys(setting.precision for setting in settings)}
        HostMemory().tidy()
        with without_large_free_blocks():
            measured, rates = measure(
                self._subjects, self._repeats, products, self._progress.update, check,
                self._few_calls)
        runs = [record_of(subject, result, rates[subject.setting.precision])
                for subject, result in zip(self._subjects, measured, strict=True)]
        found = dict(runs=runs, matmul={
            name: dict(side=product.side, rates=rates[name]) for name, product in products.items()})
        if len(runs) == 2:
            found['ratios'] = ratios_of(*runs)
        if check:
            found['agreement'] = agreed
        return found

    def _checking(self, found: dict[str, float]) -> Callable[[object, object], None]:
        """Make both models the same but for the arrangement; what compares their results."""
        arranged, ours = self._subjects
        ours.be_like(arranged)
        exact = ours.setting.precision == 'float32' and in_float32(ours.setting.read_config())

        def check(one: object, other: object) -> None:
            found.update(compare_outputs(one, other))
            if exact:
                check_agreement(found)

        return check


def show(point: dict) -> None:
    """Print what was found at a point."""
    runs = point['runs']
    if len(runs) == 2:
        for name, run in zip('AB', runs, strict=True):
            official = ', arranged as the official release' if run['official'] else ''
            print(f'{name}: {run["config"]} {run["options"] or ""}{official}')
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
    if 'agreement' in point:
        print(f'The same results: {"; ".join(in_words(point["agreement"]).values())}.')
        print(deviation_text(runs[1], point['ratios']))
    print()


def write(stem: Path, points: list[dict], key: str | None, values: list) -> None:
    """Write JSON and a chart."""
    result = dict(
        day=date.today().isoformat(), machine=machine(), covers=COVERS, counted=COUNTED,
        sweep=key, values=values, points=points)
    picture = stem.with_name(f'{stem.name}.png')
    runs = points[0]['runs']
    if key:
        draw_sweep(key, values, [point['runs'] for point in points], picture)
    else:
        names = ('A', 'B') if len(runs) == 2 else (Path(runs[0]['config']).stem, )
        if runs[0]['official']:
            names = 'arranged as the official release', 'ours'
        draw_parts(dict(zip(names, runs, strict=True)), picture)
    file = stem.with_name(f'{stem.name}.json')
    file.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    print(f'{file}, {picture}')
