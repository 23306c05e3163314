"""The pictures of a probe, with the true class of each cell."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .cells import cell_labels

MOST = 120  # pictures, where nobody says how many


class Batch(NamedTuple):
    """Pictures that are read together.

    Attributes:
        numbers (list[int]): Of the pictures in the data set.
        images (Tensor): RGB in [0, 1], padded, (B, 3, H, W).
        labels (Tensor): Of their cells, (B, H // STRIDE, W // STRIDE), see :func:`cell_labels`.
        shapes (list[tuple[int, int]]): Height and width of each picture without its padding.
    """

    numbers: list[int]
    images: Tensor
    labels: Tensor
    shapes: list[tuple[int, int]]


class Pictures:
    """Pictures of a config's data set, in two halves: to learn from, and to measure with.

    They come through the config's own pipeline and preprocessing; what is random in these is the
    same whenever a picture is loaded.

    Args:
        config (Config): With the data loader of the split.
        split (str): 'train', 'val' or 'test'.
        number (int, optional): Pictures in all. None: ``MOST``, or as many as there are.
        seed (int): Which pictures, and in which half.
        device (str): Where the images are put.

    Attributes:
        classes (tuple[str, ...]): Of the data set.
        learning (list[int]): Numbers of the pictures to learn from.
        measuring (list[int]): Numbers of the others.

    Raises:
        ValueError: If the config has no such data set, or it has too few pictures.
    """

    def __init__(
        self, config: Config, split: str, number: int | None, seed: int, device: str = 'cpu',
    ) -> None:
        loading = config.get(f'{split}_dataloader')
        if not loading:
            raise ValueError(f'{config.filename} has no {split}_dataloader; give another --split')
        self._where = f'{split}_dataloader of {config.filename}'
        self._dataset = DATASETS.build(loading.dataset)
        self.classes = tuple(self._dataset.metainfo.get('classes') or ())
        if not self.classes:
            raise ValueError(f'The data set in the {self._where} names no classes (metainfo)')
        number = min(len(self._dataset), MOST) if number is None else number
        if not 2 <= number <= len(self._dataset):
            raise ValueError(
                f'--num-images {number}: the {self._where} has {len(self._dataset)} pictures, and '
                'at least 2 are needed, one to learn from and one to measure with')
        order = np.random.default_rng(seed).permutation(len(self._dataset))[:number].tolist()
        self.learning, self.measuring = order[:number // 2], order[number // 2:]
        self._seed = seed
        self._batch_size, self._workers = loading.batch_size, loading.get('num_workers', 0)
        self._preprocessor = MODELS.build(config.model.data_preprocessor).to(device)

    def batches(self, numbers: Sequence[int]) -> Iterator[Batch]:
        """Load pictures.

        Args:
            numbers (Sequence[int]): Of :attr:`learning` or :attr:`measuring`.

        Raises:
            ValueError: If the pipeline gives no map of classes.
        """
        loader = DataLoader(
            _Repeatable(self._dataset, numbers, self._seed), self._batch_size,
            num_workers=self._workers, collate_fn=pseudo_collate)
        begin = 0
        for data in loader:
            shapes = [tuple(picture.shape[-2:]) for picture in data['inputs']]
            done = self._preprocessor(data, training=False)
            images = done['inputs']
            size = tuple(images.shape[-2:])
            labels = torch.stack([
                cell_labels(self._truth(sample, shape), size, len(self.classes))
                for sample, shape in zip(done['data_samples'], shapes, strict=True)])
            yield Batch(list(numbers[begin:begin + len(images)]), images, labels, shapes)
            begin += len(images)

    def _truth(self, sample: object, shape: tuple[int, int]) -> Tensor:
        """Classes of a picture's pixels, at the size that it came out of the pipeline."""
        if 'gt_sem_seg' not in sample:
            raise ValueError(
                f'The pipeline of the {self._where} gives no panoptic truth (gt_sem_seg): put '
                'LoadPanopticAnnotations into it, or give --split train, or the config of a '
                'panoptic data set')
        labels = next(iter(sample.gt_sem_seg.values())).squeeze(0).cpu().long()
        if tuple(labels.shape) != shape:  # a pipeline for tests resizes the picture alone
            rows, columns = (torch.arange(new) * old // new
                             for old, new in zip(labels.shape, shape, strict=True))
            labels = labels[rows][:, columns]
        return labels


class _Repeatable(Dataset):
    """Pictures of a data set, whose augmentations draw the same random numbers every time."""

    def __init__(self, dataset: Dataset, numbers: Sequence[int], seed: int) -> None:
        self.dataset, self.numbers, self.seed = dataset, numbers, seed

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> dict:
        number = self.numbers[index]
        drawn = int(np.random.SeedSequence((self.seed, number)).generate_state(1)[0])
        np.random.seed(drawn)  # what mmcv's transforms use
        random.seed(drawn)
        torch.manual_seed(drawn)
        return self.dataset[number]
