"""Timing of the Python API: the first question about a picture and later ones, names, folders."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
from mmdet.apis import DetInferencer
from PIL import Image

from ..apis import ODISEInferencer
from ..vocabulary import Vocabulary
from .report import ascii_table
from .subject import Setting, Subject

T = TypeVar('T')


def random_inferencer(setting: Setting) -> ODISEInferencer:
    """An inferencer of a model with random weights, see :class:`Subject`."""
    return ODISEInferencer.of_model(Subject(setting).model, setting.read_config())


def random_picture(size: tuple[int, int]) -> np.ndarray:
    """Noise, RGB, uint8."""
    return np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)


def time_questions(
    inferencer: ODISEInferencer, size: tuple[int, int], repeats: int, num_names: int = 100
) -> dict[str, object]:
    """Time the first question and later ones, of names that CLIP knows already.

    Returns:
        dict[str, object]: Seconds, medians over ``repeats``: ``first`` and ``later``; the ``bytes``
        that the session keeps; ``segments`` of the answer.
    """
    image = random_picture(size)
    names = Vocabulary.from_lists([f'thing {i}' for i in range(num_names)])
    inferencer(random_picture((64, 64)), names)  # texts are embedded, libraries are warm
    first, later = [], []
    for _ in range(repeats):
        session, opened = timed(inferencer.open, image)
        result, asked = timed(session, names)
        first.append(opened + asked)
        later.append(timed(session, names)[1])
    return dict(first=median(first), later=median(later), bytes=session.num_bytes,
                segments=len(result.segments))


def time_names(inferencer: ODISEInferencer, number: int) -> dict[str, float]:
    """Seconds until a new vocabulary gives its first result: embedded, and saved before.

    The picture is open.
    """
    names = Vocabulary.from_lists([f'new thing {i}' for i in range(number)])
    session = inferencer.open(random_picture((64, 64)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'names.safetensors')
        _, embedded = timed(session, names)
        inferencer.save_vocabulary(path, names)
        for clip, _ in inferencer.model.name_encoders():
            clip.forget()
        _, saved = timed(session, path)
        return dict(embedded=embedded, saved=saved, bytes=path.stat().st_size)


def time_folder(
    config: str | Path, weights: str, device: str, images: int, side: int
) -> dict[str, float]:
    """Images a second of ``ODISEInferencer`` and of a plain loop over mmdet's ``DetInferencer``.

    Both read the same folder, one picture at a time, and make panoptic results of it; mmdet's also
    of the other kinds that the config asks for.
    """
    ours = ODISEInferencer(config, weights, device)
    plain = DetInferencer(str(config), weights, device, show_progress=False)
    with tempfile.TemporaryDirectory() as folder:
        for i in range(images):
            Image.fromarray(random_picture((side, side + i))).save(f'{folder}/{i:04}.png')
        paths = sorted(map(str, Path(folder).iterdir()))
        ours(paths[0]), plain(paths[0])
        loop = streamed = 0.0
        for part in (paths[::2], paths[1::2]):  # in turns: machines have better and worse minutes
            loop += timed(lambda paths: [plain(path) for path in paths], part)[1]
            streamed += timed(lambda paths: [None for _ in ours(paths, stream=True)], part)[1]
    return dict(DetInferencer=images / loop, ODISEInferencer=images / streamed)


def timed(do: Callable[..., T], *args: object) -> tuple[T, float]:
    """What a function gives, and its seconds."""
    start = time.perf_counter()
    return do(*args), time.perf_counter() - start


def table(figures: dict[str, object]) -> str:
    """A line a figure."""
    return ascii_table([['', ''], *([name, str(value)] for name, value in figures.items())])
