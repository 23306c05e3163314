"""What a page takes from people whom nobody knows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from ...datasets.pictures import read_picture
from ...vocabulary import Vocabulary

#: What the page calls the classes of the training.
TRAINING = 'training'
_LONGEST_NAME = 50  # characters, on average


@dataclass(frozen=True)
class Limits:
    """Limits of the page; what exceeds one is refused in a sentence.

    Args:
        max_bytes (int): Of a file. Defaults to 20 MB.
        max_side (int): Of a picture, in pixels. Defaults to 8192.
        work_side (int): Larger pictures are made so small, and the visitor is told. Defaults to
            1024: time and memory grow with the area.
        max_names (int): Of all classes together. Defaults to 4000, what ``'everything'`` has room
            in.
        max_open (int): Pictures that are open at once; the one opened first goes. Defaults to 8.
        max_age (float): Seconds that anything of a visitor is kept. Defaults to an hour.
        max_disk (int): Bytes of all files of visitors; the oldest go. Defaults to 2 GB.
        max_waiting (int): Questions that wait for an answer. Defaults to 32.
    """

    max_bytes: int = 20_000_000
    max_side: int = 8192
    work_side: int = 1024
    max_names: int = 4000
    max_open: int = 8
    max_age: float = 3600
    max_disk: int = 2_000_000_000
    max_waiting: int = 32

    def read_picture(self, path: str | os.PathLike) -> tuple[np.ndarray, str]:
        """Read a picture whose size is within the limits; that is looked at first.

        Returns:
            tuple[ndarray, str]: RGB, uint8, (H, W, 3); and what the visitor is to know of it.

        Raises:
            OSError: If it cannot be read.
            ValueError: If it is too large.
        """
        if not os.path.isfile(path):
            raise ValueError('This picture is not kept any more. Give it again.')
        size = os.path.getsize(path)
        if size > self.max_bytes:
            raise ValueError(f'The file has {size / 1e6:.1f} MB; up to '
                             f'{self.max_bytes / 1e6:.0f} MB are taken.')
        try:
            with Image.open(path) as image:  # reads the size only
                sides = image.size
        except Image.DecompressionBombError:
            sides = (0, self.max_side + 1)
        except (OSError, SyntaxError):  # what Pillow does not know is for the reader to tell
            sides = (0, 0)
        if max(sides) > self.max_side:
            raise ValueError(f'The picture is too large: its sides may have up to '
                             f'{self.max_side} pixels.')
        image = np.ascontiguousarray(read_picture(path)[..., ::-1])
        factor = self.work_side / max(image.shape)
        if factor >= 1:
            return image, ''
        height, width = (max(1, round(factor * side)) for side in image.shape[:2])
        return (cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA),
                f'The picture is taken in a size of {width} x {height} pixels.')

    def read_vocabulary(
        self, things: str, stuff: str, named: Sequence[str], training: Vocabulary
    ) -> Vocabulary:
        """Read names, which may be of files to nobody but whoever sits at this machine.

        Args:
            things (str): Semicolons or lines separate classes, commas the names of a class.
            stuff (str): Likewise.
            named (Sequence[str]): Names of vocabularies, whose classes come after these.
            training (Vocabulary): What 'training' is among them.

        Raises:
            ValueError: If there is no name, or there are too many, or they are not valid.
        """
        if not (things.strip() or stuff.strip() or named):
            raise ValueError('There is no name to look for. Write some, such as "cat, kitten; dog",'
                             ' or switch on one of the lists.')
        parts = [training if name == TRAINING else Vocabulary.named(name) for name in named]
        if things.strip() or stuff.strip():
            self._check_count((len(things) + len(stuff)) // _LONGEST_NAME)  # before all is read
            parts.insert(0, Vocabulary.from_string(things, stuff))
        vocabulary = parts[0]
        for part in parts[1:]:
            vocabulary += part
        self._check_count(len(vocabulary.names))
        return vocabulary

    def _check_count(self, count: int) -> None:
        if count > self.max_names:
            raise ValueError(
                f'These are {count:,} names, or more; up to {self.max_names:,} are taken here.')
