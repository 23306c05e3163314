"""What a long command shows: one line for a training, seconds and memory; the rest into a file."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import Runner
from tqdm import tqdm


class ProgressBar(Hook):
    """One line for a whole training or evaluation in place of mmengine's many."""

    def before_train(self, runner: Runner) -> None:
        """Start at the iteration that a resumed training starts at."""
        self.bar = tqdm(
            total=runner.max_iters, initial=runner.iter, desc='Training', unit='it',
            file=sys.__stderr__)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Show the latest loss."""
        self.bar.set_postfix(loss=f'{float(outputs["loss"]):.1f}', refresh=False)
        self.bar.update()

    def after_train(self, runner: Runner) -> None:
        """Leave the line as it is."""
        self.bar.close()

    def before_test_epoch(self, runner: Runner) -> None:
        """Count batches."""
        self.bar = tqdm(
            total=len(runner.test_dataloader), desc='Evaluation', unit='batch',
            file=sys.__stderr__)

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Count a batch."""
        self.bar.update()

    def after_test_epoch(self, runner, metrics=None) -> None:
        """Leave the line as it is."""
        self.bar.close()


class Stopwatch:
    """Seconds that each stage has taken, by its name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what is done inside."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


@contextmanager
def quiet(log_file: Path) -> Iterator[None]:
    """Send what libraries print into a file; what fails inside is raised as ever."""
    with log_file.open('a', encoding='utf-8') as log, redirect_stdout(log), redirect_stderr(log):
        yield


def peak_memory() -> tuple[float, float]:
    """Largest resident size of this process and of any process it started, in GB."""
    unit = 1e9 if sys.platform == 'darwin' else 1e9 / 1024  # bytes there, kilobytes elsewhere
    return tuple(resource.getrusage(who).ru_maxrss / unit
                 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
