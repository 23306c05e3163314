"""Pictures a second of a folder and of a test: one by one, and overlapped as on a GPU."""

from __future__ import annotations

import copy
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from unittest import mock

import numpy as np
from mmdet.registry import DATASETS
from mmengine.config import Config
from PIL import Image

from ..apis import ODISEInferencer, PanopticResult, ResultFolder
from ..apis.prediction import Ledger, PredictionRun, Settings, list_jobs, run
from ..datasets.shapes_world import draw_picture
from ..engine import EvaluationRunner, OverlappedEvaluator
from ..evaluation import run_test
from ..utils import overlap
from .evaluation_costs import DrawnSet
from .report import ascii_table

_CLASSES, _DRAWN = 133, 4
ONE_BY_ONE, OVERLAPPED = WAYS = 'one by one', 'overlapped'
Rates = dict[str, list[float]]


def draw_folder(folder: Path, number: int, size: tuple[int, int]) -> list[str]:
    """Draw JPEG files of the world of shapes."""
    paths = []
    for i in range(number):
        picture = Image.fromarray(draw_picture(0, i).image).resize(size[::-1])
        paths.append(str(folder / f'{i:04}.jpg'))
        picture.save(paths[-1], quality=95)
    return paths


def time_folder(
    inferencer: ODISEInferencer, paths: Sequence[str], rounds: int, pretend: float | None = None
) -> Rates:
    """Pictures a second of ``predict``, and of a stream of the inferencer's that is plotted.

    Args:
        inferencer (ODISEInferencer): The model.
        paths (Sequence[str]): The pictures, all of one size.
        rounds (int): How often all pictures are seen each way, in turns.
        pretend (float, optional): Seconds that a picture takes in a network that only waits, as if
            a GPU computed; results are those of the first picture. Defaults to None, the model's.
    """
    def predict() -> None:
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(inferencer.vocabulary)
            task = PredictionRun(
                inferencer, settings, ResultFolder(folder), Ledger(Path(folder), ''),
                tell=lambda line: None)
            assert task(list_jobs(paths, Path(folder))).done == len(paths)

    def stream() -> None:
        for result in inferencer(paths, stream=True):
            result.plot()

    first, = inferencer(paths[0])
    if pretend is not None:
        with _waiting(pretend, first):
            return _alternately('predict', lambda: predict, rounds, len(paths))
    return {**_alternately('predict', lambda: predict, rounds, len(paths)),
            **_alternately('ODISEInferencer', lambda: stream, rounds, len(paths))}


def time_test(cfg: Config, rounds: int, pretend: float | None = None) -> Rates:
    """Pictures a second of a test, with its metrics.

    Args:
        cfg (Config): With a checkpoint in ``load_from``, and data that is there.
        rounds (int): As in :func:`time_folder`.
        pretend (float, optional): Likewise; pictures are then of one size.

    Raises:
        ValueError: If the two ways give different figures.
    """
    figures = []

    def prepare() -> Callable[[], None]:
        one, name = copy.deepcopy(cfg), f'{Path(folder).name}_{len(figures)}'
        one.update(work_dir=folder, log_level='WARNING', experiment_name=name)
        one.visualizer.name = name  # each writes into the folder of its own test
        runner = EvaluationRunner.from_cfg(one)
        if pretend is not None:
            _let_wait(runner.model, pretend)
        return lambda: figures.append(run_test(runner))

    with tempfile.TemporaryDirectory() as folder:
        prepare()()
        number = len(DATASETS.build(cfg.test_dataloader.dataset))
        rates = _alternately('mim test', prepare, rounds, number)
    if len(set(map(repr, figures))) > 1:
        raise ValueError(f'the figures differ: {figures}')
    return rates


@contextmanager
def working(way: str) -> Iterator[None]:
    """A context in which nothing is done while the network computes, or all that can be."""
    with ExitStack() as stack:
        stack.enter_context(
            mock.patch.object(overlap, 'pays_on', lambda device: way == OVERLAPPED))
        if way == ONE_BY_ONE:
            stack.enter_context(mock.patch.object(run, 'ThreadPoolExecutor', _AtOnce))
        yield


class _AtOnce:
    """An executor that does what it is given before it returns."""

    def __init__(self, *args: object) -> None:
        pass

    def __enter__(self) -> _AtOnce:
        return self

    def __exit__(self, *args: object) -> None:
        pass

    def submit(self, do: Callable, *args: object) -> Future:
        done: Future = Future()
        done.set_result(do(*args))
        return done


def time_metrics(pictures: int, rounds: int, pretend: float) -> Rates:
    """Pictures a second of all metrics, of pictures like COCO's, beside a network that only waits.

    Args:
        pictures (int): Of each round.
        rounds (int): As in :func:`time_folder`.
        pretend (float): Likewise.
    """
    def prepare() -> Callable[[], None]:
        evaluator = OverlappedEvaluator(list(drawn.metrics().values()))

        def run() -> None:
            for i in range(pictures):
                time.sleep(pretend)
                evaluator.process([results[i % len(results)]], {})
            evaluator.finish()

        return run

    with tempfile.TemporaryDirectory() as folder:
        drawn = DrawnSet(Path(folder, 'set'), _CLASSES, _DRAWN)
        results = [drawn.result(i) for i in range(_DRAWN)]
        return _alternately('metrics of COCO', prepare, rounds, pictures)


def _alternately(
    name: str, prepare: Callable[[], Callable[[], None]], rounds: int, pictures: int
) -> Rates:
    """Rates of both ways, in turns: machines have better and worse minutes.

    Args:
        name (str): What is timed.
        prepare (Callable): Gives the function that is timed.
        rounds (int): Of each way.
        pictures (int): Of each round.
    """
    rates = defaultdict(list)
    for number in range(rounds):
        for way in WAYS if number % 2 == 0 else reversed(WAYS):
            with working(way):
                do = prepare()
                start = time.perf_counter()
                do()
                rates[f'{name}, {way}'].append(pictures / (time.perf_counter() - start))
    return {f'{name}, {way}': rates[f'{name}, {way}'] for way in WAYS}


@contextmanager
def _waiting(seconds: float, result: PanopticResult) -> Iterator[None]:
    def wait(self: ODISEInferencer, pictures: Sequence, *args: object, **kwargs: object) -> list:
        time.sleep(seconds * len(pictures))
        return [replace(result, image=picture.image, path=picture.path) for picture in pictures]

    with mock.patch.object(ODISEInferencer, '__call__', wait):
        yield


def _let_wait(model: object, seconds: float) -> None:
    """Replace a model's step of a test by one that waits, and gives the first step's results."""
    step, known = model.test_step, []

    def wait(data: dict) -> list:
        if not known:
            known.append(step(copy.deepcopy(data))[0])
        time.sleep(seconds * len(data['data_samples']))
        samples = copy.copy(data['data_samples'])
        for sample in samples:
            for name, value in known[0].items():
                if name.startswith('pred_'):
                    setattr(sample, name, value)
        return samples

    model.test_step = wait


def table(rates: Rates) -> str:
    """Medians, a line each, and how much faster the overlapped way is."""
    lines = [['pictures a second', *WAYS, 'gain']]
    for name in dict.fromkeys(name.rsplit(', ', 1)[0] for name in rates):
        one, other = (float(np.median(rates[f'{name}, {way}'])) for way in WAYS)
        gain = median(b / a for a, b in zip(
            *(rates[f'{name}, {way}'] for way in WAYS), strict=True))
        lines.append([name, f'{one:.2f}', f'{other:.2f}', f'{gain:.2f} x'])
    return ascii_table(lines)
