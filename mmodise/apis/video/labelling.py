"""Videos in which each segment keeps its number."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from ..panoptic_result import PanopticResult
from .reading import Frame, VideoReader
from .source import Source, describe, is_camera, is_local_file
from .tracking import SegmentTracker
from .writing import VideoWriter

_SMALLEST_SIDE = 360  # pixels; names are not to be read on less

Predict = Callable[[np.ndarray], PanopticResult]


class TrackedFrame(NamedTuple):
    """What was found in a frame."""

    index: int
    """The frame's number in the video, from 0."""
    time: float
    """When it is shown, in seconds."""
    result: PanopticResult
    """Its segments; one that was in a frame before has the number it had there."""


@dataclass(frozen=True)
class LabelledVideo:
    """What became of a video.

    Args:
        target (Path): The file that was written.
        num_frames (int): Frames in it.
        seconds (float): Time that it took.
        problem (str): What is wrong with the source, in a sentence; '' if nothing is.
    """

    target: Path
    num_frames: int
    seconds: float
    problem: str = ''

    @property
    def frames_per_second(self) -> float:
        """Frames that were read, segmented, drawn and written a second."""
        return self.num_frames / self.seconds

    def __str__(self) -> str:
        text = (f'{self.target}: {self.num_frames} frames in {self.seconds:.1f} s, '
                f'{self.frames_per_second:.2f} a second')
        return f'{text}\n{self.problem}' if self.problem else text


def segment_video(
    predict: Predict, source: Source, every: int = 1, tracker: SegmentTracker | None = None
) -> Iterator[TrackedFrame]:
    """Segment a video frame by frame; no frame is kept.

    ::

        inferencer = ODISEInferencer()
        for index, time, result in segment_video(
                lambda image: inferencer(image, 'ball; box')[0], 'film.mp4'):
            ...

    Args:
        predict (Callable): Segments an image, RGB, uint8, (H, W, 3), as :class:`ODISEInferencer`
            does.
        source (str | Path | int): A file, an address that FFmpeg knows, or the number of a camera.
        every (int): Segment the first of so many frames. Defaults to 1, all.
        tracker (SegmentTracker, optional): Gives segments their numbers. Defaults to a new one.

    Yields:
        TrackedFrame: Index, time in seconds, and result, with the frame as its ``image``.

    Raises:
        ImportError: If PyAV is not installed.
        OSError: If it is no video, or has no frames.
    """
    with VideoReader(source, every) as reader:
        for frame, result in _segment(predict, reader, tracker or SegmentTracker()):
            yield TrackedFrame(frame.index, frame.time, result)


def label_video(
    predict: Predict,
    source: Source,
    target: str | Path,
    every: int = 1,
    *,
    draw: Callable[[PanopticResult], np.ndarray] | None = None,
    sound: bool = True,
    overwrite: bool = False,
    max_frames: int | None = None,
    progress: bool = True,
) -> LabelledVideo:
    """Write a video with the segments drawn into it.

    Each frame has the time that it has in the source, and the sound of a file is copied. The
    target is there when all is written, and not before. A camera is recorded until Ctrl-C is
    pressed, or ``max_frames`` are written.

    Args:
        predict (Callable): Segments an image, RGB, uint8, (H, W, 3), as :class:`ODISEInferencer`
            does.
        source (str | Path | int): A file, an address that FFmpeg knows, or the number of a camera.
        target (str | Path): An .mp4, .mov, .mkv, .avi or .webm file.
        every (int): Segment and write the first of so many frames. Defaults to 1, all.
        draw (Callable, optional): Draws a result as RGB, uint8, (H, W, 3). Defaults to
            :func:`draw_frame`.
        sound (bool): Whether to copy the sound. Defaults to True.
        overwrite (bool): Whether the target may be replaced. Defaults to False.
        max_frames (int, optional): Stop after so many written frames. Defaults to None.
        progress (bool): Whether to show a bar, and what became of it at the end. Defaults to True.

    Raises:
        ImportError: If PyAV is not installed.
        FileExistsError: If the target is there already.
        ValueError: If the target is the source, or of an unknown kind.
        OSError: If the source is no video, or has no frames, or the target cannot be written.
    """
    _check_target(source, target)
    start = time.perf_counter()
    with VideoReader(source, every) as reader:
        count = _write(reader, VideoWriter(
            target, reader.rate, reader.time_base, overwrite=overwrite,
            sound_of=Path(source) if sound and is_local_file(source) else None,
        ), predict, draw or draw_frame, max_frames, progress)
        problem = '' if count == max_frames else reader.problem
    labelled = LabelledVideo(Path(target), count, time.perf_counter() - start, problem)
    if progress:
        print(labelled)
    return labelled


def draw_frame(result: PanopticResult) -> np.ndarray:
    """Draw a result as :meth:`PanopticResult.plot`, as large as it must be to be read."""
    return result.plot(legend=False, min_side=_SMALLEST_SIDE)


def _write(
    reader: VideoReader, writer: VideoWriter, predict: Predict, draw: Callable,
    max_frames: int | None, progress: bool,
) -> int:
    total = min(filter(None, (reader.num_frames, max_frames)), default=None)
    count, first = 0, None
    with writer, tqdm(total=total, unit='frame', desc=describe(reader.source),
                      disable=not progress) as bar:
        try:
            for frame, result in _segment(predict, reader, SegmentTracker()):
                # a camera counts from when the machine was started
                first = (frame.ticks if is_camera(reader.source) else 0) if first is None else first
                writer.write(draw(result), frame.ticks - first, reader.pixel_aspect)
                count += 1
                bar.update()
                if count == max_frames:
                    break
        except KeyboardInterrupt:
            if not is_camera(reader.source) or not count:
                raise
    return count


def _segment(
    predict: Predict, reader: VideoReader, tracker: SegmentTracker
) -> Iterator[tuple[Frame, PanopticResult]]:
    for frame in reader:
        result = tracker(predict(frame.image))
        yield frame, replace(result, image=frame.image)


def _check_target(source: Source, target: str | Path) -> None:
    if is_local_file(source) and Path(target).exists() and Path(source).exists() and (
            Path(target).samefile(source)):
        raise ValueError(f'{target} is the video that is read. Write to another file.')
