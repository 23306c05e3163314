"""What was done in a folder of results, so that a run goes on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_FOLDER = '.mmodise'


class Ledger:
    """Notes which inputs have their results, in ``FOLDER/.mmodise``.

    An input is done if it was done with the same settings, has the size and the time of change that
    it had, and the files of its result are there, in the sizes that they had.

    Args:
        folder (Path): Of the results.
        settings (str): Stands for all that results depend on, apart from the inputs.
        rank (int): Of the process, each of which writes a file of its own. Defaults to 0.
    """

    def __init__(self, folder: Path, settings: str, rank: int = 0) -> None:
        self.folder, self.settings = folder, settings
        self._path = folder / _FOLDER / f'done-{rank}.jsonl'
        self._done = _read(folder / _FOLDER, settings)

    def is_done(self, source: str | int) -> bool:
        """Whether an input needs nothing; never so for addresses and cameras."""
        entry = self._done.get(_name(source))
        return entry is not None and entry['state'] == _state(source) and all(
            _size(self.folder / name) == size for name, size in entry['files'].items())

    def note(self, source: str | int, files: Sequence[Path]) -> None:
        """Note that an input is done.

        Args:
            source (str | int): The input.
            files (Sequence[Path]): Of its result, in the folder.

        Raises:
            OSError: If it cannot be written.
        """
        state = _state(source)
        if state is None:
            return
        sizes = {file.relative_to(self.folder).as_posix(): _size(file) for file in files}
        line = json.dumps(dict(
            source=_name(source), state=state, settings=self.settings, files=sizes))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open('a', encoding='utf-8') as file:
            file.write(f'\n{line}')  # a line that was cut short spoils none but itself


def _read(folder: Path, settings: str) -> dict[str, dict]:
    done = {}
    for path in sorted(folder.glob('done-*.jsonl')):
        for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
            with suppress(ValueError, KeyError, TypeError):  # cut short by a full disk
                entry = json.loads(line)
                if entry['settings'] == settings and entry['files'].keys():
                    done[entry['source']] = entry
    return done


def _name(source: str | int) -> str:
    return os.path.abspath(source) if isinstance(source, str) else f'camera {source}'


def _state(source: str | int) -> list[int] | None:
    """Size and time of change of a file; None for what is none."""
    if isinstance(source, str) and os.path.isfile(source):
        status = os.stat(source)
        return [status.st_size, status.st_mtime_ns]
    return None


def _size(path: Path) -> int | None:
    with suppress(OSError):
        return path.stat().st_size
    return None
