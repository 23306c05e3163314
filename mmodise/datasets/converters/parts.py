"""Results that go into one file, kept in parts until all are there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from ...utils import WholeFileBackend
from .preparation import run_jobs

_SIZE = 64


def run_in_parts(
    work: Callable[[Any], Any], jobs: Sequence, folder: Path, workers: int = 1,
    what: str = 'Images',
) -> list:
    """Do jobs as :func:`run_jobs`, and have a run that was stopped go on with the next part.

    Args:
        work (Callable): Does one; its result can be written as JSON.
        jobs (Sequence): What it gets; equal jobs have equal texts.
        folder (Path): Gets a file per part; the caller takes it away when all is written.
        workers (int): Processes. Defaults to 1.
        what (str): What the progress bar is called.

    Returns:
        list: The results, in the order of the jobs.
    """
    parts = [(folder, jobs[i:i + _SIZE]) for i in range(0, len(jobs), _SIZE)]
    done = run_jobs(partial(_do_part, work=work), parts, workers, f'{what}, by {_SIZE}')
    return [result for results in done for result in results]


def _do_part(part: tuple[Path, Sequence], work: Callable[[Any], Any]) -> list:
    folder, jobs = part
    path = folder / f'{hashlib.sha256(repr(jobs).encode()).hexdigest()}.json'
    with suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding='utf-8'))
    results = [work(job) for job in jobs]
    WholeFileBackend().put_text(json.dumps(results), path)
    return results
