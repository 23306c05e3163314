"""What a command line names: pictures, folders, patterns, lists, videos and cameras."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

from ..download import is_url
from ..inputs import ENDINGS, files_below

VIDEO_ENDINGS = ('.mp4', '.mov', '.mkv', '.avi', '.webm', '.m4v', '.mpg', '.mpeg', '.wmv', '.flv')
_LIST_ENDING = '.txt'


class Job(NamedTuple):
    """One input.

    Args:
        source (str | int): A file, an address, or the number of a camera.
        stem (str): What its results are called after, with the folders below that of the input.
        is_video (bool): Whether it has frames.
        problem (str): Why there is nothing to be done; '' as a rule.
    """

    source: str | int
    stem: str
    is_video: bool = False
    problem: str = ''


def list_jobs(
    inputs: Sequence[str], leave_out: Path, cameras: Iterable[int] = ()
) -> list[Job]:
    """Find the inputs that are meant, each once, without reading any.

    Args:
        inputs (Sequence[str]): Files, folders (with all below them), patterns, addresses; a
            ``.txt`` file has one of these per line.
        leave_out (Path): The folder of the results, which is no input where it lies in a folder
            that is one.
        cameras (Iterable[int]): Numbers of cameras.
    """
    jobs = {}
    for name in inputs:
        for job in _expand(name, leave_out.resolve()):
            jobs.setdefault(job.source, job)
    return [*jobs.values(), *(Job(number, f'camera_{number}', True) for number in cameras)]


def _expand(name: str, leave_out: Path) -> Iterator[Job]:
    if '://' in name or is_url(name):
        path = PurePosixPath(urlsplit(name).path)
        yield Job(name, path.stem or 'picture', not is_url(name) or _is_video(path.name))
    elif os.path.isdir(name):
        yield from _listed(name, files_below(name, ENDINGS + VIDEO_ENDINGS), name, leave_out)
    elif glob.has_magic(name) and not os.path.exists(name):
        found = filter(os.path.isfile, sorted(glob.iglob(name, recursive=True)))
        yield from _listed(name, found, _fixed_part(name), leave_out)
    elif name.lower().endswith(_LIST_ENDING):
        yield from _read_list(name, leave_out)
    else:
        yield Job(name, Path(name).stem, _is_video(name))


def _is_video(name: str) -> bool:
    return name.lower().endswith(VIDEO_ENDINGS)


def _listed(name: str, files: Iterable[str], root: str, leave_out: Path) -> Iterator[Job]:
    """Jobs of the files of a folder or a pattern, called after their place below its root."""
    found = [path for path in files if not Path(path).resolve().is_relative_to(leave_out)]
    if not found:
        yield Job(name, name, problem='there are no pictures or videos')
    for path in found:
        stem = Path(os.path.relpath(path, root)).with_suffix('').as_posix()
        yield Job(path, stem, _is_video(path))


def _fixed_part(pattern: str) -> str:
    """The folder of a pattern before its first wildcard."""
    parts = Path(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return str(Path(*parts[:fixed]))


def _read_list(name: str, leave_out: Path) -> Iterator[Job]:
    try:
        lines = Path(name).read_text(encoding='utf-8-sig').splitlines()
    except FileNotFoundError:
        yield Job(name, name, problem='there is no such file')
    except (OSError, UnicodeDecodeError) as error:
        yield Job(name, name, problem=f'this is no list of inputs, one per line ({error})')
    else:
        for line in filter(None, map(str.strip, lines)):
            beside = Path(name).parent / line
            is_beside = '://' not in line and not os.path.exists(line) and beside.exists()
            if line.lower().endswith(_LIST_ENDING):
                yield Job(line, line, problem=f'{name}: a list cannot hold a list')
            else:
                yield from _expand(str(beside) if is_beside else line, leave_out)
