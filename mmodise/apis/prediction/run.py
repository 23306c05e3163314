"""Inputs go in, files come out, one input after the other."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
from tqdm import tqdm

from ...utils.overlap import ahead
from ...vocabulary import Vocabulary
from ..exports import FORMATS
from ..inferencer import ODISEInferencer
from ..inputs import Picture, read_source
from ..panoptic_result import PanopticResult
from ..result_folder import ResultFolder
from .ledger import Ledger
from .processes import writing_alone
from .sources import Job
from .summary import Summary, segment_table

_VIDEO_ENDING = '.mp4'


@dataclass(frozen=True)
class Settings:
    """What is done with every input.

    Args:
        vocabulary (Vocabulary): The classes.
        formats (tuple[str, ...]): Names of ``FORMATS``; videos have pictures only.
        scoring (dict): ``alpha``, ``beta`` and ``threshold`` of the inferencer, where they are not
            the config's.
        batch_size (int): Pictures at a time.
        video (dict): Options of :func:`label_video`: ``every`` and ``max_frames``.
    """

    vocabulary: Vocabulary
    formats: tuple[str, ...] = ('picture', 'coco-panoptic')
    scoring: dict = field(default_factory=dict)
    batch_size: int = 1
    video: dict = field(default_factory=dict)

    def digest(self, *others: object) -> str:
        """A short text that differs where results may differ.

        Args:
            *others: What else results depend on, such as the config and the weights.
        """
        content = (self.vocabulary.things, self.vocabulary.stuff, sorted(self.formats),
                   self.scoring, self.video, others)
        text = json.dumps(content, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


class PredictionRun:
    """Makes the results of many inputs and writes them, each as soon as it is there.

    Args:
        inferencer (ODISEInferencer): The model.
        settings (Settings): What is done.
        folder (ResultFolder): Gets the results.
        ledger (Ledger): Gets what was done.
        tell (Callable): Takes a line for people. Defaults to printing it above the progress bar.
    """

    def __init__(
        self, inferencer: ODISEInferencer, settings: Settings, folder: ResultFolder,
        ledger: Ledger, tell: Callable[[str], None] = tqdm.write,
    ) -> None:
        self.inferencer, self.settings = inferencer, settings
        self.folder, self.ledger, self.tell = folder, ledger, tell
        self.summary = Summary()

    def __call__(self, jobs: Sequence[Job], show_segments: bool = False) -> Summary:
        """Do all jobs; what fails is told at the end.

        Args:
            jobs (Sequence[Job]): The inputs.
            show_segments (bool): Whether a table of each picture's segments is printed. Defaults to
                False.

        Raises:
            OSError: If a result cannot be written.
        """
        written: list[Future] = []
        with (tqdm(total=len(jobs), unit='input', disable=None) as bar,
              ThreadPoolExecutor(1) as writer):
            batches = map(_read, _batches(jobs, self.settings.batch_size))
            for batch, read in ahead(batches, self.inferencer.device):
                if read is None:
                    self._label_video(batch[0])
                else:
                    results = list(self._infer(self._readable(batch, read)))
                    self._finish(written, show_segments)  # of the batch before
                    written = [writer.submit(self._write, *result) for result in results]
                bar.update(len(batch))
            self._finish(written, show_segments)
        return self.summary

    def _finish(self, written: Iterable[Future], show_segments: bool) -> None:
        """Wait until results are written, and tell."""
        for done in written:
            job, files, result = done.result()
            if not isinstance(files, list):
                self._fail(job, files)
                continue
            self.summary.done += 1
            self.summary.add(result)
            self.tell(f'{job.source} -> {files[0]}: {len(result.segments)} segments')
            if show_segments:
                self.tell(segment_table(result))

    def _fail(self, job: Job, error: object) -> None:
        text = ' '.join(str(error).split()) or type(error).__name__
        source = _called(job)
        self.summary.failures.append(text if text.startswith(source) else f'{source}: {text}')
        self.tell(self.summary.failures[-1])

    def _write(
        self, job: Job, result: PanopticResult
    ) -> tuple[Job, list[Path] | Exception, PanopticResult]:
        """Write a result, while the next is computed; gives why no format can hold it, if so."""
        try:
            make = self._encode(job, result)
        except (ValueError, MemoryError, cv2.error) as error:
            return job, error, result
        with writing_alone(self.folder.folder):
            files = self.folder.write(job.stem, make)
        self.ledger.note(job.source, files)
        return job, files, result

    def _readable(
        self, jobs: Iterable[Job], read: Iterable[Picture | Exception]
    ) -> list[tuple[Job, Picture]]:
        pictures = []
        for job, picture in zip(jobs, read, strict=True):
            if isinstance(picture, Exception):
                self._fail(job, picture)
            else:
                pictures.append((job, picture))
        return pictures

    def _infer(
        self, pictures: Sequence[tuple[Job, Picture]]
    ) -> Iterator[tuple[Job, PanopticResult]]:
        try:
            results = self.inferencer(
                [picture for _, picture in pictures], self.settings.vocabulary,
                batch_size=max(len(pictures), 1), **self.settings.scoring)
        except (MemoryError, RuntimeError, ValueError) as error:
            if len(pictures) == 1:
                self._fail(pictures[0][0], error)
            else:
                for one in pictures:  # the fault of one, or too many at once
                    yield from self._infer([one])
            return
        for (job, _), result in zip(pictures, results, strict=True):
            yield job, result

    def _encode(self, job: Job, result: PanopticResult) -> Callable[[str], dict[str, bytes]]:
        def make(stem: str) -> dict[str, bytes]:
            files = {}
            for name in self.settings.formats:
                form = FORMATS[name]
                path = self.folder.folder / f'{stem}{form.suffix}{form.endings[0]}'
                if path not in made:
                    made[path] = form.encode(result, path)
                files.update(made[path])
            return {path.relative_to(self.folder.folder).as_posix(): content
                    for path, content in files.items()}

        made = {}
        make(job.stem)  # what cannot be held is told before anything is written
        return make

    def _label_video(self, job: Job) -> None:
        from ..video import label_video  # which a user without PyAV does not have
        target = _free_path(self.folder.folder / f'{job.stem}{_VIDEO_ENDING}')
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            video = label_video(self._label_frame, job.source, target, draw=_draw_frame,
                                **self.settings.video)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            self._fail(job, error)
            return
        self.ledger.note(job.source, [target])
        self.summary.done += 1
        self.tell(f'{_called(job)} -> {target}')
        if video.problem:  # what could be read of it is written
            self._fail(job, video.problem)

    def _label_frame(self, image: object) -> PanopticResult:
        result, = self.inferencer(image, self.settings.vocabulary, **self.settings.scoring)
        return result


def _read(jobs: list[Job]) -> tuple[list[Job], list[Picture | Exception] | None]:
    """Read the pictures of a batch, or why there is none; None for a video."""
    if jobs[0].is_video and not jobs[0].problem:
        return jobs, None
    return jobs, [_read_one(job) for job in jobs]


def _read_one(job: Job) -> Picture | Exception:
    if job.problem:
        return ValueError(job.problem)
    try:
        return read_source(job.source)
    except Exception as error:  # whatever is wrong with a file, others go on
        return error


def _draw_frame(result: PanopticResult) -> object:
    return result.plot(legend=False)


def _called(job: Job) -> str:
    return job.source if isinstance(job.source, str) else f'camera {job.source}'


def _batches(jobs: Sequence[Job], size: int) -> Iterator[list[Job]]:
    """Pictures in a row, so many at a time; videos alone."""
    for is_video, group in itertools.groupby(jobs, lambda job: job.is_video):
        group = list(group)
        step = 1 if is_video else size
        yield from (group[start:start + step] for start in range(0, len(group), step))


def _free_path(path: Path) -> Path:
    """The path, or with a number that makes it one of no file."""
    names = itertools.chain([path.stem], (f'{path.stem}_{number}' for number in itertools.count(2)))
    return next(free for free in (path.with_name(f'{name}{path.suffix}') for name in names)
                if not os.path.lexists(free))
