"""The check of data sets, by several processes."""

from __future__ import annotations

import multiprocessing
import os
import os.path as osp
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from .annotations import SetFiles, read_files
from .data_sets import NamedSet
from .report import Report, SetReport
from .samples import Sample, SampleCheck, check_sample

_ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.gif')
_CHUNK = 32  # samples that a process gets at a time


def check_data_sets(
    sets: Sequence[NamedSet],
    workers: int | None = None,
    start: Callable[[int], None] = lambda count: None,
    advance: Callable[[int], None] = lambda count: None,
) -> Report:
    """Read every file of data sets once, and say what is wrong and what is odd.

    Args:
        sets (Sequence[NamedSet]): The data sets.
        workers (int, optional): Processes. Defaults to None, one per core.
        start (Callable): Is told the number of images when it is known.
        advance (Callable): Is told of images that are done.
    """
    files = [read_files(named) for named in sets]
    samples = [sample for each in files for sample in each.samples]
    start(len(samples))
    checks = []
    with _map(workers or os.cpu_count() or 1, len(samples)) as mapped:
        for check in mapped(check_sample, samples):
            checks.append(check)
            advance(1)
    _look_for_duplicates(files, checks)
    _look_for_unused(files)
    return _report(files, checks)


@contextmanager
def _map(workers: int, count: int) -> Iterator[Callable]:
    """What maps samples in order; a process is not worth its start for a few of them."""
    workers = min(workers, -(-count // (4 * _CHUNK)))
    if workers <= 1:
        yield map
        return
    with multiprocessing.Pool(workers) as pool:
        yield partial(pool.imap, chunksize=_CHUNK)


def _split(files: list[SetFiles], checks: list[SampleCheck]) -> Iterator[tuple]:
    """Of each data set what was found of its samples."""
    done = 0
    for each in files:
        yield each, checks[done:done + len(each.samples)]
        done += len(each.samples)


def _look_for_duplicates(files: list[SetFiles], checks: list[SampleCheck]) -> None:
    trained: dict[bytes, str] = {}
    for each, found in _split(files, checks):
        first: dict[bytes, Sample] = {}
        for sample, check in zip(each.samples, found, strict=True):
            if check.content is None:
                continue
            other = first.setdefault(check.content, sample)
            if other is not sample:
                each.findings.warning(
                    'images with the content of another of their set',
                    f'{sample.image_path} and {other.image_path}', 'One of them is enough.')
            if 'train' in each.named.roles:
                trained.setdefault(check.content, sample.image_path)
    for each, found in _split(files, checks):
        for sample, check in zip(each.samples, found, strict=True):
            if 'train' not in each.named.roles and check.content in trained:
                each.findings.warning(
                    'images that are trained, too, by their content',
                    f'{sample.image_path} is {trained[check.content]}',
                    'Figures will be better than the model is.')


def _look_for_unused(files: list[SetFiles]) -> None:
    """Find files in the folders that no data set names."""
    used, owners = set(), defaultdict(list)
    for each in files:
        for sample in each.samples:
            used.update(map(osp.realpath, filter(None, (sample.image_path, sample.map_path))))
        for what, folder in each.folders.items():
            owners[osp.realpath(folder)].append((what, each))
    for folder, sets in owners.items():
        what, first = sets[0]
        for path in _pictures(folder):
            if path not in used:
                first.findings.warning(f'{what} that no annotation names', path,
                                       'Were they forgotten, or are they of another split?')


def _pictures(folder: str) -> Iterator[str]:
    for where, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.lower().endswith(_ENDINGS):
                yield osp.join(where, name)


def _report(files: list[SetFiles], checks: list[SampleCheck]) -> Report:
    reports, usable = [], []
    for each, found in _split(files, checks):
        for check in found:
            for findings in check.findings:
                each.findings.merge(findings)
        names, segments = {}, 0
        if each.file is not None:
            uses = each.file.count_uses()
            names = {c['id']: c['name'].strip() for c in each.file.categories}
            segments = sum(count for count, _ in uses.values())
            names = {key: name for key, name in names.items() if key in each.labels}
        good = [sample for sample, check in zip(each.samples, found, strict=True)
                if check.is_usable]
        usable.append((good, names))
        reports.append(SetReport(
            each.named.name, each.named.dataset.ann_file, len(each.samples), segments,
            {name: uses.get(key, (0, 0)) for key, name in names.items()},
            list(each.findings)))
    return Report(reports, usable)
