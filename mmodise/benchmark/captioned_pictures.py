"""Pictures of the shapes world with captions, which the small frozen models learn from."""

from __future__ import annotations

import json
import random
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from ..datasets.shapes_world import SIZE, draw_picture

SEED = 7


class CaptionedPictures(Dataset):
    """Pictures of the shapes world, drawn once into a folder, each with a caption at random.

    Args:
        folder (Path): Gets ``images.npy`` (N, SIZE, SIZE, 3) uint8 and ``captions.json``.
        count (int): Number of pictures N.
    """

    def __init__(self, folder: Path, count: int) -> None:
        captions = folder / 'captions.json'
        if not captions.is_file():  # written last
            self._draw(folder, count)
        self.images = np.load(folder / 'images.npy', mmap_mode='r')
        self.captions = json.loads(captions.read_text(encoding='utf-8'))

    @staticmethod
    def _draw(folder: Path, count: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        images = np.lib.format.open_memmap(
            folder / 'images.npy', 'w+', np.uint8, (count, SIZE, SIZE, 3))
        captions = []
        with Pool(initializer=cv2.setNumThreads, initargs=(0, )) as pool:
            drawn = pool.imap(partial(draw_picture, SEED), range(count), chunksize=32)
            for index, picture in enumerate(tqdm(drawn, 'Drawing', count)):
                images[index] = picture.image
                captions.append(picture.captions)
        images.flush()
        (folder / 'captions.json').write_text(json.dumps(captions), encoding='utf-8')

    def __len__(self) -> int:
        return len(self.captions)

    def __getitem__(self, index: int) -> dict:
        image = torch.from_numpy(self.images[index].copy()).permute(2, 0, 1)
        image = image.flip(-1) if random.random() < 0.5 else image
        return dict(images=image, captions=random.choice(self.captions[index]))


def leave_out(captions: list[str]) -> list[str]:
    """Leave a tenth of the captions out, so that a generator learns what the empty one means."""
    return ['' if random.random() < 0.1 else caption for caption in captions]


def cut_out(images: Tensor, smallest: float, size: int | tuple[int, int]) -> Tensor:
    """Cut the same random square out of all images, and resize it.

    Args:
        images (Tensor): (N, 3, SIZE, SIZE).
        smallest (float): Share of the side that is left at least.
        size (int | tuple[int, int]): Of the result.
    """
    side = random.randint(int(smallest * SIZE), SIZE)
    top, left = random.randint(0, SIZE - side), random.randint(0, SIZE - side)
    return F.interpolate(
        images[..., top:top + side, left:left + side], size, mode='bilinear')
