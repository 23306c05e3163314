"""The small model with each switch: its quality, and its time beside all others."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.runner import Runner
from tqdm import tqdm

from ...evaluation import summarize
from ..generator_costs import HeldBytes
from ..vocabularies import CHECKPOINT, load
from .lines import FOUR, Line, small_config

_PANOPTIC_ONLY = {'model.test_cfg.instance_on': False, 'model.test_cfg.semantic_on': False}
_GROUPS = 'base', 'novel', 'all'


def measure_quality(
    lines: Mapping[str, Line], four: str = CHECKPOINT
) -> dict[str, dict[str, float]]:
    """PQ of base, novel and all classes, in percent.

    Args:
        lines (Mapping[str, Line]): By name; those of recipes are left out.
        four (str): The checkpoint for pictures of four windows. Defaults to that of all others.
    """
    quality = {}
    for name, line in tqdm(lines.items(), 'quality', unit='line'):
        if line.recipe is None and line.small is not None:
            checkpoint = four if line.against == FOUR else CHECKPOINT
            results = summarize(_load(line, checkpoint, _PANOPTIC_ONLY).test())
            quality[name] = {group: results[group]['PQ'] for group in _GROUPS}
    return quality


@torch.no_grad()
def measure_times(
    lines: Mapping[str, Line], pictures: int = 4, rounds: int = 6
) -> dict[str, dict[str, float]]:
    """Seconds per picture, one at a time, and megabytes that are held beside the weights.

    All lines alternately, in one run; the median of several rounds. Models of other recipes are not
    trained: no time depends on it.

    Args:
        lines (Mapping[str, Line]): By name; those whose CLIP is not there are left out.
        pictures (int): Pictures of the data set in each round. Defaults to 4.
        rounds (int): Defaults to 6.
    """
    runners = {
        name: _load(line, CHECKPOINT if line.recipe is None else None)
        for name, line in tqdm(lines.items(), 'building', unit='line')
        if line.small is not None and _has_clip(line)}
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for number in tqdm(range(-1, rounds), 'rounds'):
        for name, runner in list(runners.items())[::1 if number % 2 else -1]:
            start = time.perf_counter()
            _label(runner, pictures)
            if number >= 0:  # the first one warms up
                seconds[name].append((time.perf_counter() - start) / pictures)
    return {name: dict(seconds=round(statistics.median(seconds[name]), 4),
                       megabytes=round(_held(runner) / 1e6, 1))
            for name, runner in runners.items()}


def _load(line: Line, checkpoint: str | None, settings: Mapping | None = None) -> Runner:
    return load(small_config(line), checkpoint, {**line.small, **(settings or {})})


def _has_clip(line: Line) -> bool:
    if line.recipe not in ('convnext', 'resnet'):
        return True
    folder = Path(f'data/small_models/clip_{line.recipe}')
    if not folder.is_dir():
        print(f'{folder} is not there, {line.title} is left out: train_small_models.py '
              f'clip-{line.recipe} makes it')
    return folder.is_dir()


def _label(runner: Runner, pictures: int) -> None:
    dataset = runner.test_dataloader.dataset
    for number in range(pictures):
        packed = dataset[number]
        runner.model.test_step(dict(
            inputs=[packed['inputs']], data_samples=[packed['data_samples']]))


def _held(runner: Runner) -> int:
    with HeldBytes(()) as held:
        _label(runner, 1)
    return held.most
