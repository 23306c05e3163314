"""Timing of data loading: each step of a pipeline, and what worker processes deliver."""

from __future__ import annotations

import math
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice

from mmengine.config import ConfigDict
from mmengine.runner import Runner

from .report import ascii_table


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
