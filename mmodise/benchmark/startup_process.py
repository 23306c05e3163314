"""``python -m mmodise.benchmark.startup_process``: the command ``predict``, with a stopwatch.

Arguments are a file for what was measured, the time of :func:`time.monotonic` at which the process
was started, and those of ``predict``. This file imports nothing that the command does not import:
what it imports late would be missed.
"""

from __future__ import annotations

import json
import runpy
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from ..weights import locate

_ENDINGS = ('.safetensors', '.bin', '.ckpt', '.pt', '.pth')
IMPORTS, CONFIG, BUILDING, GENERATOR, CAPTION, CLIP, CHECKPOINT, PICTURE, NAMES, REST = PARTS = (
    'Python and imports', 'config', 'building', "generator's weights", 'empty caption',
    "CLIP's weights", 'checkpoint', 'first picture', 'its names', 'the rest')


class Stopwatch:
    """Books time on the innermost of the parts that are running.

    Args:
        start (float): When the process was started.
    """

    def __init__(self, start: float) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._last, self._running = start, [REST]

    def book(self, part: str | None = None) -> None:
        """Book what passed since the last time, on the part that is running or on another."""
        now = time.monotonic()
        self.spent[part or self._running[-1]] += now - self._last
        self._last = now

    def around(self, owner: object, name: str, part: str,
               after: Callable[[object], None] = lambda result: None) -> None:
        """Book a function on a part, wherever it is called by this name.

        Args:
            owner (object): A module or class.
            name (str): Of the function.
            part (str): The part.
            after (Callable): Gets each result.
        """
        method = getattr(owner, name)

        def timed(*args: object, **kwargs: object) -> object:
            self.book()
            self._running.append(part)
            try:
                result = method(*args, **kwargs)
            finally:
                self.book()
                self._running.pop()
            after(result)
            self.book()
            return result

        setattr(owner, name, timed)


def memory() -> dict[str, int]:
    """Bytes that this process has: most ever, and now, its own and of files; {} if not told."""
    try:
        lines = Path('/proc/self/status').read_text(encoding='ascii').splitlines()
    except OSError:
        return {}
    found = dict(line.split(':', 1) for line in lines)
    return {ours: int(found[name].split()[0]) * 1024 for ours, name in (
        ('peak', 'VmHWM'), ('own', 'RssAnon'), ('files', 'RssFile')) if name in found}


def weight_files(node: object) -> Iterator[Path]:
    """The local files of weights that a config names, also in folders, and those of mmodise."""
    if isinstance(node, dict):
        for value in node.values():
            yield from weight_files(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from weight_files(value)
    elif isinstance(node, (str, Path)):
        path = Path(locate(str(node)))
        found = sorted(path.rglob('*')) if path.is_dir() else [path] * path.is_file()
        yield from (file.resolve() for file in found if file.suffix in _ENDINGS)


def main() -> None:
    """Run, and write what was measured."""
    out, start, *args = sys.argv[1:]
    watch = Stopwatch(float(start))
    measured: dict[str, object] = {}
    from ..apis.prediction import command
    watch.book(IMPORTS)
    _watch_parts(watch, command, measured)
    tool = Path(__file__).parents[2] / 'tools/predict.py'
    if not tool.is_file():
        tool = Path(__file__).parents[1] / '.mim/tools/predict.py'
    sys.argv = [str(tool), *args]
    try:
        runpy.run_path(str(tool), run_name='__main__')
    finally:
        watch.book()
        measured.update(parts=dict(watch.spent), at_end=memory())
        Path(out).write_text(json.dumps(measured), encoding='utf-8')


def _watch_parts(watch: Stopwatch, command: object, measured: dict) -> None:
    from ..apis import ODISEInferencer, model_building
    from ..checkpoints.generator_folder import GeneratorFolder
    from ..checkpoints.stable_diffusion.source import Source
    from ..models.clip import FrozenCLIP, frozen_clip

    def note(built: tuple) -> None:
        inferencer, (weights, *_) = built
        files = {*weight_files(inferencer.cfg.model.to_dict()), *weight_files(weights)}
        measured.update(loaded=memory(), files=sorted(map(str, files)))

    watch.around(command, '_build_inferencer', BUILDING, note)
    watch.around(command, 'load_config', CONFIG)
    for folder in (Source, GeneratorFolder):
        watch.around(folder, 'load', GENERATOR)
        watch.around(folder, 'encode_empty_caption', CAPTION)
    watch.around(frozen_clip, 'load_clip', CLIP)
    watch.around(model_building.CheckpointLoader, 'load_checkpoint', CHECKPOINT)
    watch.around(model_building, 'load_fitting', CHECKPOINT)
    watch.around(FrozenCLIP, 'encode_names', NAMES)
    watch.around(ODISEInferencer, '__call__', PICTURE)


if __name__ == '__main__':
    main()
