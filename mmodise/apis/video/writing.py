"""A video that is there as a whole or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ...utils.optional import import_optional
from .sound import SoundTracks

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

#: By a file's ending: FFmpeg's format, and video codecs that it is written with, the best first.
FORMATS = {
    '.mp4': ('mp4', ('libx264', 'mpeg4')), '.m4v': ('mp4', ('libx264', 'mpeg4')),
    '.mov': ('mov', ('libx264', 'mpeg4')), '.mkv': ('matroska', ('libx264', 'mpeg4')),
    '.avi': ('avi', ('libx264', 'mpeg4')), '.webm': ('webm', ('libvpx-vp9', 'libvpx'))}
_BT709 = 1  # number of the colour space in ITU-T H.273, which FFmpeg uses


class VideoWriter:
    """Writes pictures, each with its time, and the sound of another file.

    It writes ``NAME.part``, which becomes ``NAME`` on leaving the ``with`` block; nothing remains
    of it if that ends with an error. All pictures get the size of the first: others are fitted
    into it, on black. A side of an odd length becomes a pixel longer, as the codecs need it.

    Args:
        target (str | Path): The file; its ending says the format, one of ``FORMATS``.
        rate (Fraction): Frames a second, about.
        time_base (Fraction): Seconds that times are counted in.
        sound_of (Path, optional): A file whose sound is copied, as it is. Defaults to None.
        overwrite (bool): Whether a file of this name may be replaced. Defaults to False.

    Raises:
        ImportError: If PyAV is not installed.
        FileExistsError: If there is such a file.
        ValueError: If nothing can be written with this ending, or not this sound.
        OSError: When used, if it cannot be written.
    """

    def __init__(
        self, target: str | Path, rate: Fraction, time_base: Fraction,
        sound_of: Path | None = None, overwrite: bool = False,
    ) -> None:
        self._av = import_optional('av', extra='video')
        self.target = Path(target)
        self._format, self._codec = self._choose_format()
        if self.target.is_dir() or (self.target.exists() and not overwrite):
            raise FileExistsError(f'{target} is there already. Choose another name, or remove it.')
        self._rate, self._time_base, self._sound_of = rate, time_base, sound_of
        self._part = self.target.with_name(f'{self.target.name}.part')
        self._output: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._sound: SoundTracks | None = None

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type | None, *_) -> None:
        try:
            if kind is None and self._output is not None:
                self._finish()
        finally:
            self._release()
            self._part.unlink(missing_ok=True)

    def write(self, image: np.ndarray, ticks: int, pixel_aspect: Fraction | None = None) -> None:
        """Write a picture, after those before it.

        Args:
            image (ndarray): RGB, uint8, (H, W, 3).
            ticks (int): Its time, in units of ``time_base``.
            pixel_aspect (Fraction, optional): Width of a pixel by its height; the first picture's
                is that of the video. Defaults to None, square.
        """
        try:
            if self._output is None:
                self._begin(image.shape, pixel_aspect)
            height, width = self._stream.height, self._stream.width
            frame = self._av.VideoFrame.from_ndarray(fit(image, (height, width)), format='rgb24')
            frame = frame.reformat(
                format=self._stream.pix_fmt, dst_colorspace=_BT709, dst_color_range=1)
            frame.pts, frame.time_base = ticks, self._time_base
            frame.duration = max(1, round(1 / (self._rate * self._time_base)))
            self._sound.copy_until(float(ticks * self._time_base))
            self._output.mux(self._stream.encode(frame))
        except self._av.FFmpegError as error:
            raise self._explain(error) from error

    def _choose_format(self) -> tuple[str, str]:
        name, codecs = FORMATS.get(self.target.suffix.lower(), (None, ()))
        if name is None:
            raise ValueError(f'{self.target}: a video is written as {", ".join(FORMATS)}, not as '
                             f'{self.target.suffix or "a file without an ending"}.')
        for codec in codecs:
            if codec in self._av.codecs_available:
                return name, codec
        raise ValueError(f'{self.target}: this PyAV was built without {" and ".join(codecs)}.')

    def _begin(self, shape: tuple[int, ...], pixel_aspect: Fraction | None) -> None:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        options = {'movflags': '+faststart'} if self._format in ('mp4', 'mov') else {}
        self._output = self._av.open(
            str(self._part), 'w', format=self._format, container_options=options)
        self._stream = stream = self._output.add_stream(self._codec, rate=self._rate)
        stream.height, stream.width = (side + side % 2 for side in shape[:2])
        stream.pix_fmt = 'yuv420p'
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = 1  # luma 16 to 235, as players expect
        if self._codec != 'mpeg4':  # whose times are counted in 65535ths at the finest
            context.time_base = self._time_base
        if pixel_aspect:
            context.sample_aspect_ratio = pixel_aspect
        self._sound = SoundTracks(self._sound_of, self._output)

    def _finish(self) -> None:
        try:
            self._output.mux(self._stream.encode())
            self._sound.copy_until(float('inf'))
            self._output.close()
        except self._av.FFmpegError as error:
            raise self._explain(error) from error
        with self._part.open('rb+') as file:
            os.fsync(file.fileno())  # some disks say only now that they are full
        self._part.replace(self.target)

    def _release(self) -> None:
        for container in filter(None, (self._sound, self._output)):
            with suppress(self._av.FFmpegError):  # it is thrown away, or was told of already
                container.close()

    def _explain(self, error: Exception) -> OSError:
        free = shutil.disk_usage(self.target.parent).free
        return OSError(f'{self.target} could not be written: {error.strerror}. The disk has '
                       f'{free / 1e6:.0f} MB free. Nothing was left under this name.')


def fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Fit a picture into a size, (height, width), whole and undistorted, on black.

    Where a side lacks one pixel, the last row or column is repeated instead.
    """
    height, width = size
    missing = height - image.shape[0], width - image.shape[1]
    if set(missing) <= {0, 1}:
        return np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), 'edge')
    factor = min(height / image.shape[0], width / image.shape[1])
    inner = [max(1, round(factor * side)) for side in image.shape[:2]]
    resized = cv2.resize(image, inner[::-1], interpolation=cv2.INTER_AREA)
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    canvas[top:top + inner[0], left:left + inner[1]] = resized
    return canvas
