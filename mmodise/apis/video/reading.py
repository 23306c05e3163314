"""The frames of a video, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .orientation import display_matrix, swaps_sides, upright
from .source import Source, describe, is_camera, open_video

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

_USUAL_RATE = Fraction(25)  # frames a second of a video that does not tell
_TOLERANCE = 0.5  # seconds, and a fiftieth, that a file may tell too much of its length


class Frame(NamedTuple):
    """A frame as it is shown."""

    index: int
    """Its number in the video, from 0."""
    time: float
    """When it is shown, in seconds, as the file says; strictly increasing."""
    ticks: int
    """The same in units of the reader's ``time_base``."""
    image: np.ndarray
    """RGB, uint8, (H, W, 3), upright."""


class VideoReader:
    """Reads the frames of a video; only the one in hand is in memory.

    ::

        with VideoReader('film.mp4', every=5) as frames:
            for frame in frames:
                ...

    Frames are turned and mirrored as the file says, and may differ in size. Damaged parts are left
    out; :attr:`problem` tells of them, when all is read.

    Args:
        source (str | Path | int): A file, an address that FFmpeg knows, or the number of a camera.
        every (int): Give the first of so many frames. Defaults to 1, all.

    Raises:
        ImportError: If PyAV is not installed.
        OSError: If it is no video; when read, if there is no frame in it.
        ValueError: If ``every`` is less than 1.
    """

    def __init__(self, source: Source, every: int = 1) -> None:
        if every < 1:
            raise ValueError(f'every is {every}; it must be 1 or more.')
        self.source, self.every = source, every
        self._container, self._stream = open_video(source)
        self.time_base: Fraction = self._stream.time_base
        self.num_read = 0
        self._num_damaged, self._end, self._failure = 0, 0.0, ''
        self._ticks: int | None = None
        self._pixel_aspect: Fraction | None = None
        self._announced = self._announced_end()

    @property
    def rate(self) -> Fraction:
        """Frames a second that are given, on average."""
        rate = self._stream.average_rate or self._stream.guessed_rate or _USUAL_RATE
        return rate / self.every

    @property
    def num_frames(self) -> int | None:
        """How many frames will be given, as far as the file tells; None for a camera."""
        count = self._stream.frames
        if not count and self._container.duration:
            count = round(self._container.duration / 1e6 * self.rate * self.every)
        return -(-count // self.every) if count and not is_camera(self.source) else None

    @property
    def pixel_aspect(self) -> Fraction | None:
        """Width of a pixel by its height, as the last frame is shown; None if nothing is told."""
        return self._pixel_aspect

    @property
    def problem(self) -> str:
        """What is wrong with the video, in a sentence; '' if nothing is. Known when all is read."""
        found = []
        if self._num_damaged:
            parts = 'part was' if self._num_damaged == 1 else 'parts were'
            found.append(f'{self._num_damaged} damaged {parts} left out')
        missing = self._announced - self._end
        if self._failure or missing > max(_TOLERANCE, self._announced / 50):
            told = f' of {self._announced:.1f} s' if missing > 0 else ''
            found.append(f'it breaks off after {self._end:.1f} s{told} {self._failure}'.rstrip())
        return f'{describe(self.source)}: {"; ".join(found)}.' if found else ''

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the video."""
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        """Give the frames.

        Raises:
            OSError: If there is none.
        """
        for frame in self._decode():
            index, self.num_read = self.num_read, self.num_read + 1
            ticks = self._next_ticks(frame)
            if index % self.every == 0:
                yield Frame(index, float(ticks * self.time_base), ticks, self._image(frame))
        if not self.num_read:
            raise OSError(f'{describe(self.source)}: it has no frame that can be decoded.')

    def _decode(self) -> Iterator[VideoFrame]:
        from av import FFmpegError
        for packet in self._packets():
            try:
                yield from packet.decode()
            except FFmpegError:
                self._num_damaged += 1

    def _packets(self) -> Iterator[Packet]:
        """The packets of the video; those of other streams are only looked at."""
        from av import FFmpegError
        from av.packet import Packet
        try:
            for packet in self._container.demux():
                if packet.pts is not None:
                    end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                    self._end = max(self._end, end)
                if packet.stream is self._stream:
                    yield packet
        except FFmpegError as error:
            self._failure = f'({error.strerror})'
            flush = Packet()
            flush.stream = self._stream
            yield flush

    def _announced_end(self) -> float:
        """When the file says that it ends, in seconds; 0 if it does not say."""
        container = self._container
        if is_camera(self.source) or not container.duration:
            return 0
        return (container.duration + (container.start_time or 0)) / 1e6

    def _next_ticks(self, frame: VideoFrame) -> int:
        """The frame's time; one frame after the last where it has none, or one that is past."""
        ticks = frame.pts
        if ticks is None or (self._ticks is not None and ticks <= self._ticks):
            step = max(1, round(1 / (self.rate * self.every * self.time_base)))
            ticks = 0 if self._ticks is None else self._ticks + step
        self._ticks = ticks
        return ticks

    def _image(self, frame: VideoFrame) -> np.ndarray:
        matrix = display_matrix(frame)
        aspect = self._stream.codec_context.sample_aspect_ratio
        self._pixel_aspect = 1 / aspect if aspect and swaps_sides(matrix) else aspect or None
        return upright(frame.to_ndarray(format='rgb24'), matrix)
