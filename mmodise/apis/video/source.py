"""Where a video comes from: a file, an address or a camera."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ...utils.optional import import_optional

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

Source = str | Path | int

#: What FFmpeg calls the camera of a number, and the format it is read with, by ``sys.platform``.
CAMERAS = {
    'linux': ('/dev/video{}', 'v4l2'), 'darwin': ('{}:none', 'avfoundation'),
    'win32': ('video={}', 'dshow')}


def open_video(source: Source) -> tuple[InputContainer, VideoStream]:
    """Open a video.

    Args:
        source (str | Path | int): A file, an address that FFmpeg knows (``rtsp://...``), or the
            number of a camera.

    Raises:
        ImportError: If PyAV is not installed.
        FileNotFoundError: If there is no such file.
        OSError: If it is no video, or has only sound.
    """
    av = import_optional('av', extra='video')
    name, input_format = _address(source)
    try:
        container = av.open(name, format=input_format)
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise OSError(f'{describe(source)}: FFmpeg cannot open it as a video ({reason}). '
                      f'{_advice(source)}') from error
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:  # the cover of a song
            stream.thread_type = 'AUTO'
            return container, stream
    kinds = ', '.join(sorted({stream.type for stream in container.streams})) or 'nothing'
    container.close()
    raise OSError(f'{describe(source)}: it has no video, only {kinds}.')


def is_camera(source: Source) -> bool:
    """Whether a source is the number of a camera."""
    return isinstance(source, int)


def is_local_file(source: Source) -> bool:
    """Whether a source is a file on this machine, which can be read twice."""
    return not is_camera(source) and '://' not in str(source)


def describe(source: Source) -> str:
    """What messages call a source."""
    return f'camera {source}' if is_camera(source) else str(source)


def _address(source: Source) -> tuple[str, str | None]:
    if is_camera(source):
        pattern, camera_format = CAMERAS.get(sys.platform, CAMERAS['linux'])
        return pattern.format(source), camera_format
    if is_local_file(source):
        _check_file(Path(source))
    return os.fspath(source), None


def _check_file(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f'{path}: there is no such file')
    if path.is_dir():
        raise IsADirectoryError(f'{path}: is a folder, not a video')
    if path.is_file() and not path.stat().st_size:
        raise OSError(f'{path}: the file is empty')


def _advice(source: Source) -> str:
    if is_camera(source):
        return 'Is it connected, is no other program using it, and may you read it?'
    return 'Is it complete? A file that was cut short often lacks what says how to read it.'
