"""What all preparations of data sets share: several processes, going on, what is told."""

from __future__ import annotations

import io
import os
import shutil
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from ...utils import WholeFileBackend
from ..panoptic import Finding, Findings
from .annotated import AnnotationError
from .class_maps import check_shape, read_numbers
from .pictures import shown_size

_CONFIG = 'configs/open_vocabulary/odise_sd-v1_open-vocabulary.py'
#: What the field calls the folders of the splits.
FOLDERS = dict(train='training', val='validation')


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


def gather(parts: Iterable[Findings], where: str) -> list[Finding]:
    """The findings of all jobs, each kind once."""
    findings = Findings(where)
    for part in parts:
        findings.merge(part)
    return list(findings)


def find(*candidates: Path, what: str) -> Path:
    """The first of several places that is there.

    Raises:
        FileNotFoundError: If none is; names all of them.
    """
    for path in candidates:
        if path.exists():
            return path
    raise FileNotFoundError(f'{what} is not there: looked for '
                            f'{" and ".join(map(str, candidates))}. Name the folder that holds '
                            'the data set as it was unpacked.')


def present_splits(split: str | None, place_of: Callable[[str], Path], what: str) -> list[str]:
    """The splits to prepare: the one that is asked for, or those that are there.

    Args:
        split (str, optional): What the user asks for.
        place_of (Callable): The file or folder of a split, 'train' or 'val'.
        what (str): What it is, for the message.

    Raises:
        FileNotFoundError: If none is there.
    """
    places = {name: place_of(name) for name in ([split] if split else FOLDERS)}
    found = [name for name, path in places.items() if path.exists()]
    if not found:
        find(*places.values(), what=what)
    return found


def refuse_missing(paths: Iterable[Path], what: str) -> None:
    """Refuse to begin where files are missing.

    Raises:
        FileNotFoundError: Counts them and names the first.
    """
    paths = list(paths)
    names = {folder: set(os.listdir(folder)) if folder.is_dir() else set()
             for folder in {path.parent for path in paths}}
    missing = [path for path in paths if path.name not in names[path.parent]]
    if missing:
        raise FileNotFoundError(f'{len(missing)} of {len(paths)} {what} are missing, the first is '
                                f'{missing[0]}. Was the archive unpacked wholly?')


def is_whole(path: Path, size: tuple[int, int] | None = None, mode: str | None = None) -> bool:
    """Whether a picture or map is there, can be read to its end, and has a size and a mode."""
    with suppress(Exception), Image.open(path) as image:  # Pillow has many kinds
        image.load()
        return (size is None or image.size == tuple(size)) and (
            mode is None or image.mode in (mode, f'{mode}B', f'{mode}L'))
    return False


def write_map(labels: np.ndarray, path: Path) -> bool:
    """Write a map, (H, W), uint8 or uint16, or of colours, as a whole, in its ending's format.

    One that is there, with the same content, is left alone.

    Returns:
        bool: Whether it was written.
    """
    with suppress(Exception), Image.open(path) as image:
        if np.array_equal(np.asarray(image), labels):
            return False
    file = io.BytesIO()
    Image.fromarray(labels).save(file, 'TIFF' if path.suffix.startswith('.tif') else 'PNG')
    WholeFileBackend().put(file.getvalue(), path)
    return True


def write_text(text: str, path: Path) -> bool:
    """Write a text file as a whole, unless it is there with this content."""
    if path.is_file() and path.read_text(encoding='utf-8') == text:
        return False
    WholeFileBackend().put_text(text, path)
    return True


def place(source: Path, target: Path) -> bool:
    """Have a file in a second place too: as a link if the disk can, else as a copy.

    Returns:
        bool: Whether it was not there before.
    """
    if target.exists() and (target.samefile(source)
                            or target.stat().st_size == source.stat().st_size):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f'{target.name}.part')
    part.unlink(missing_ok=True)
    try:
        os.link(source, part)
    except OSError:
        shutil.copyfile(source, part)
    part.replace(target)
    return True


def read_labels(path: Path, picture: Path) -> np.ndarray:
    """The whole numbers of a map that is as large as its picture, (H, W).

    Raises:
        AnnotationError: If one of them cannot be read, or their sizes differ.
    """
    numbers = read_numbers(str(path))
    check_shape(numbers, shown_size(picture)[1][::-1], str(path))
    return numbers


def check_labels(
    labels: np.ndarray, allowed: Iterable[int], path: Path, expected: str
) -> None:
    """Refuse a map with a value that has no meaning.

    Raises:
        AnnotationError: Names the file, the values and what was expected.
    """
    found, counts = np.unique(labels, return_counts=True)
    strange = {int(value): int(count) for value, count in zip(found, counts, strict=True)
               if int(value) not in allowed}
    if strange:
        value, count = Counter(strange).most_common(1)[0]
        raise AnnotationError(f'{path}: {count} pixels have the value {value}; expected '
                              f'{expected}.')


def classes_text(names: Sequence[str]) -> str:
    """The content of ``classes.txt``: a line ``id:name,synonym`` per class, ids from 0."""
    return ''.join(f'{i}:{name.replace(", ", ",")}\n' for i, name in enumerate(names))


def write_classes(names: Sequence[str], folder: Path) -> bool:
    """Write ``classes.txt`` beside maps, unless it is there: a user may have written synonyms.

    Returns:
        bool: Whether it was written.
    """
    path = folder / 'classes.txt'
    return not path.exists() and write_text(classes_text(names), path)
