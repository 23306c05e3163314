"""Nothing of a visitor is kept for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .limits import Limits
from .open_pictures import OpenPictures


@contextmanager
def keeping_clean(pictures: OpenPictures, folder: Path, limits: Limits) -> Iterator[None]:
    """Forget pictures and delete files that are too old, also when nobody asks.

    Args:
        pictures (OpenPictures): The open pictures.
        folder (Path): Holds the files of visitors, and no others.
        limits (Limits): Say what is too old, and too much.
    """
    done = threading.Event()
    pause = limits.max_age / 60

    def clean() -> None:
        while not done.wait(pause):
            pictures.expire()
            remove_old(folder, limits.max_age - 2 * pause, limits.max_disk)

    thread = threading.Thread(target=clean, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def remove_old(folder: Path, max_age: float, max_bytes: int) -> None:
    """Delete files that are too old, then the oldest, until the others are not too many.

    Args:
        folder (Path): The files may be in folders in it, which go when they are empty.
        max_age (float): Seconds.
        max_bytes (int): Of all that stay.
    """
    files = []
    for path in folder.rglob('*'):
        with suppress(OSError):  # somebody else was faster
            if path.is_file():
                files.append((path.stat().st_ctime, path.stat().st_size, path))
    total = sum(size for _, size, _ in files)
    for changed, size, path in sorted(files, key=lambda file: file[0]):
        if time.time() - changed > max_age or total > max_bytes:
            with suppress(OSError):
                path.unlink()
                total -= size
                path.parent.rmdir()
