"""The sound of a video, copied without being decoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...utils.optional import import_optional

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet


class SoundTracks:
    """Copies all sound of a file into a video, in step with its pictures.

    Args:
        source (Path, optional): The file; without sound, or None, nothing is copied.
        output (OutputContainer): The video, before anything is written into it.

    Raises:
        ValueError: If the video's format does not hold such sound.
    """

    def __init__(self, source: Path | None, output: OutputContainer) -> None:
        self._output, self._container = output, None
        if source is None:
            return
        av = import_optional('av', extra='video')
        self._container = av.open(str(source))
        self._copies = {stream.index: self._copy_stream(stream)
                        for stream in self._container.streams.audio}
        self._packets = self._read()
        self._next: Packet | None = next(self._packets, None)

    def copy_until(self, time: float) -> None:
        """Copy what begins before a time, in seconds, and was not copied yet."""
        while self._container is not None and self._next is not None:
            packet = self._next
            if float(packet.dts * packet.time_base) >= time:
                return
            self._next = next(self._packets, None)
            packet.stream = self._copies[packet.stream.index]
            self._output.mux(packet)

    def close(self) -> None:
        """Close the file."""
        if self._container is not None:
            self._container.close()

    def _copy_stream(self, stream):
        name = stream.codec_context.name
        if stream.codec_context.name not in self._output.supported_codecs:
            raise ValueError(
                f'The sound is {name}, which a {self._output.format.name} file does not hold. '
                'Write an .mkv, or leave the sound out.')
        return self._output.add_stream_from_template(stream)

    def _read(self) -> Iterator[Packet]:
        from av import FFmpegError
        if not self._copies:
            return
        try:
            for packet in self._container.demux(*self._container.streams.audio):
                if packet.dts is not None:
                    yield packet
        except FFmpegError:  # the file is cut short, which its reader tells
            return
