"""What all preparations of data sets share: several processes, pictures, what is told."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..panoptic import Finding, Findings
from ..panoptic.orientation import check_orientation, turning_hint
from .annotated import AnnotationError
from .pictures import shown_size
from .prepared_files import refuse_missing

_CONFIG = 'configs/open_vocabulary/odise_sd-v1_open-vocabulary.py'


@dataclass
class Prepared:
    """What a preparation did.

    Args:
        out (Path): Where it is.
        counts (dict[str, int]): Images per split.
        new (int): Files that were not there before, or not whole.
        findings (Sequence[Finding]): What is told.
        advice (str): What comes next, such as the config to run.
    """

    out: Path
    counts: dict[str, int]
    new: int
    findings: Sequence[Finding] = field(default_factory=list)
    advice: str = ''


def run_command(name: str, prepare: Callable[..., Prepared], args: Namespace) -> Prepared:
    """Do what the command line says, and tell what was done.

    Args:
        name (str): The command, for messages.
        prepare (Callable): Gets the options by their names.
        args (Namespace): The options.

    Raises:
        SystemExit: If it cannot be done; the message says why.
    """
    try:
        done = prepare(**vars(args))
    except (ValueError, OSError) as error:
        raise SystemExit(f'{name}: {error}') from error
    for finding in done.findings:
        print(finding.message('Note'))
    counts = ', '.join(f'{count} {split}' for split, count in done.counts.items())
    what = f'{done.new} files are new' if done.new else 'all was done already'
    print(f'{done.out}: {counts}; {what}.')
    if done.advice:
        print(f'Next:\n    {done.advice}')
    return done


def evaluation_advice(config: str = _CONFIG) -> str:
    """The command that evaluates on all data sets that are prepared."""
    return f'mim test mmodise {config} --checkpoint CHECKPOINT'


def run_jobs(
    work: Callable[[Any], Any], jobs: Sequence, workers: int = 1, what: str = 'Images'
) -> list:
    """Do jobs in several processes, with a progress bar; one that fails does not stop the others.

    Args:
        work (Callable): Does one; can be sent to another process, as its result and the job can.
        jobs (Sequence): What it gets.
        workers (int): Processes. Defaults to 1, this one.
        what (str): What the progress bar is called.

    Returns:
        list: The results, in the order of the jobs.

    Raises:
        AnnotationError: If jobs failed with a ValueError or because of a file; names the first.
    """
    done = list(map_jobs(partial(_try, work), jobs, workers, what))
    errors = [error for _, error in done if error]
    if errors:
        more = f'\n... and {len(errors) - 5} more' if len(errors) > 5 else ''
        raise AnnotationError(
            '\n'.join(errors[:5]) + f'{more}\n{len(errors)} of {len(done)} cannot be prepared. '
            'Mend them and run again: what is done is kept.')
    return [result for result, _ in done]


def map_jobs(
    work: Callable[[Any], Any], jobs: Sequence, workers: int = 1, what: str = 'Images'
) -> Iterable:
    """Map jobs in several processes with a progress bar; results come in their order."""
    with tqdm(total=len(jobs), desc=what, unit='image') as bar, (
            ProcessPoolExecutor(workers) if workers > 1 and len(jobs) >= 2 * workers
            else nullcontext()) as pool:
        chunk = max(1, min(16, len(jobs) // max(workers, 1)))
        results = pool.map(work, jobs, chunksize=chunk) if pool else map(work, jobs)
        for result in results:
            yield result
            bar.update()


def _try(work: Callable[[Any], Any], job: Any) -> tuple[Any, str]:
    try:
        return work(job), ''
    except (ValueError, OSError) as error:
        return None, str(error)


def look_at_pictures(
    paths: Iterable[Path], findings: Findings, workers: int = 1, what: str = 'Pictures'
) -> dict[Path, tuple[int, int]]:
    """Height and width of pictures as they are shown, by their paths.

    Args:
        paths (Iterable[Path]): The pictures.
        findings (Findings): Gets pictures that are turned when they are shown, where nobody can
            tell whether their maps are too.
        workers (int): Processes. Defaults to 1.
        what (str): What the progress bar is called.

    Raises:
        FileNotFoundError: If some are missing.
        AnnotationError: If some are no pictures, or were cut short.
    """
    paths = list(dict.fromkeys(paths))
    refuse_missing(paths, 'pictures')
    done = run_jobs(_look, paths, workers, what)
    for _, part in done:
        findings.merge(part)
    return dict(zip(paths, (shape for shape, _ in done), strict=True))


def _look(path: Path) -> tuple[tuple[int, int], Findings]:
    findings = Findings(str(path))
    (width, height), _, orientation = shown_size(path)
    if orientation != 1:
        check_orientation(str(path), (height, width), findings)
    return (height, width), findings


def check_said_size(
    path: Path, shape: tuple[int, int], entry: Mapping[str, Any], where: str
) -> None:
    """Refuse a picture of another size than its annotation says.

    Args:
        path (Path): The picture.
        shape (tuple[int, int]): Its height and width as it is shown.
        entry (Mapping): With ``width`` and ``height``.
        where (str): The annotation file, for the message.

    Raises:
        AnnotationError: If they differ.
    """
    said = entry.get('height'), entry.get('width')
    if shape != said:
        raise AnnotationError(
            f'{path} has {shape[1]} x {shape[0]} pixels, and was annotated at {said[1]} x '
            f'{said[0]} ({where}).{turning_hint(str(path))}')
