"""Seconds from the command to the first result, and where they go; in processes of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from .report import ascii_table
from .startup_process import PARTS

_CHUNK = 2**24
_IMPORTS = 'import mmodise.apis.prediction.command'
_FOLDER = Path(__file__).parents[2]


@dataclass
class StartUp:
    """What was measured of a command.

    Attributes:
        whole (list[float]): Seconds from the start of a process to its end, nothing in it booked.
        processor (list[float]): Seconds that its processors worked, which other processes delay
            less.
        parts (list[dict[str, float]]): Seconds by part, in other runs.
        loaded (dict[str, int]): Bytes when the model is loaded: ``peak``, ``own``, ``files``; the
            last are mapped, and the system's to take.
        at_end (dict[str, int]): Likewise, at the end.
        num_bytes (int): Of the files of weights that the config names.
        reading (list[float]): Seconds in which these were read, and nothing else.
        modules (dict[str, float]): Seconds of imports by package, which takes longer when it is
            looked at.
    """

    whole: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    parts: list[dict[str, float]] = field(default_factory=list)
    loaded: dict[str, int] = field(default_factory=dict)
    at_end: dict[str, int] = field(default_factory=dict)
    num_bytes: int = 0
    reading: list[float] = field(default_factory=list)
    modules: dict[str, float] = field(default_factory=dict)

    def table(self) -> str:
        """Medians, a line each."""
        lines = [['', 's']]
        for part in PARTS:
            if any(part in run for run in self.parts):
                lines.append([part, f'{median(run.get(part, 0.0) for run in self.parts):.2f}'])
        lines.append(['to the end of the process', f'{median(self.whole):.2f}'])
        lines.append(['processors', f'{median(self.processor):.2f}'])
        lines.append([f'reading the {self.num_bytes / 2**30:.2f} GiB of weights alone',
                      f'{median(self.reading):.2f}'])
        for name, bytes_of in (('when loaded', self.loaded), ('at the end', self.at_end)):
            if bytes_of:
                found = {key: f'{value / 2**30:.2f}' for key, value in bytes_of.items()}
                lines.append([f'GiB {name}: peak (own, mapped files)',
                              '{peak} ({own}, {files})'.format(**found)])
        return ascii_table(lines)


def time_start_up(options: Sequence[str], runs: int) -> StartUp:
    """Time ``predict``, each run in a process of its own, alternately as it is and booked.

    Args:
        options (Sequence[str]): Of ``predict``, but ``--out-dir``.
        runs (int): Of each kind, after one that is not timed.

    Raises:
        RuntimeError: If the command fails; with what it said.
    """
    found = StartUp()
    with tempfile.TemporaryDirectory() as folder:
        command = ['predict', *options, '--again', '--out-dir', folder]
        _run(['-m', 'mmodise', *command])
        for _ in range(runs):
            before = _processor()
            found.whole.append(_run(['-m', 'mmodise', *command])[0])
            found.processor.append(_processor() - before)
            measured = _booked(command[1:])
            found.parts.append(measured['parts'])
            found.loaded, found.at_end = measured['loaded'], measured['at_end']
            files = [Path(file) for file in measured['files']]
            found.reading.append(_read(files))
        found.num_bytes = sum(file.stat().st_size for file in files)
        found.modules = imports_of(_run(['-X', 'importtime', '-c', _IMPORTS])[1])
    return found


def imports_of(told: str) -> dict[str, float]:
    """Seconds of modules' own code by package, the longest first.

    Args:
        told (str): What Python prints with ``-X importtime``.
    """
    spent: dict[str, float] = defaultdict(float)
    for own, name in re.findall(r'^import time: +(\d+) \| +\d+ \| +(\S+)$', told, re.MULTILINE):
        spent[name.split('.')[0]] += int(own) / 1e6
    return dict(sorted(spent.items(), key=lambda entry: -entry[1]))


def _booked(options: Sequence[str]) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, 'measured.json')
        _run(['-m', 'mmodise.benchmark.startup_process', str(out), str(time.monotonic()),
              *options])
        return json.loads(out.read_text(encoding='utf-8'))


def _run(arguments: Sequence[str]) -> tuple[float, str]:
    """Seconds of a process of Python, and what it said."""
    path = os.pathsep.join(filter(None, [str(_FOLDER), os.environ.get('PYTHONPATH')]))
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, 'PYTHONPATH': path})
    seconds = time.monotonic() - start
    if done.returncode:
        raise RuntimeError(f'predict {" ".join(arguments)} failed: {done.stderr[-2000:]}')
    return seconds, done.stderr


def _processor() -> float:
    """Seconds that child processes have worked."""
    times = os.times()
    return times.children_user + times.children_system


def _read(files: Sequence[Path]) -> float:
    """Seconds in which files are read into one piece of memory."""
    room, start = bytearray(_CHUNK), time.monotonic()
    for path in files:
        with path.open('rb', buffering=0) as file:
            while file.readinto(room):
                pass
    return time.monotonic() - start
