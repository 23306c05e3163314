"""Golden sets: what the official model computes, in one form whatever the layout of the files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmdet.datasets import CocoPanopticDataset

Classes = list[list[str]]


@dataclass(frozen=True)
class Golden:
    """An array of the official model: whole, or a sample of it.

    Args:
        values (ndarray): All values, or those of a sample, flat.
        largest (float, optional): Largest magnitude in the whole array; by default that of
            ``values``.
        sampled (bool): Whether ``values`` are a sample.
        size (int, optional): Number of elements of the whole array, where it is known.
        packed (bool): Whether ``values`` are unpacked bits, up to 7 more than the whole array has.
        tolerance (float, optional): Of the error over ``largest``, where the set suggests one.
    """

    values: np.ndarray
    largest: float | None = None
    sampled: bool = False
    size: int | None = None
    packed: bool = False
    tolerance: float | None = None

    def fits(self, size: int) -> bool:
        """Whether this may be of an array of ``size`` elements."""
        if self.size is not None:
            return self.size == size and (self.sampled or self.values.size == size)
        return self.sampled or 0 <= self.values.size - size < (8 if self.packed else 1)

    def places(self, size: int) -> np.ndarray:
        """Where in an array of ``size`` elements the values are from; flat, in C order."""
        count = np.arange(min(self.values.size, size), dtype=np.int64)
        return count * 2654435761 % size if self.sampled else count


@dataclass
class Case:
    """Images that are labelled with a vocabulary, mostly one; classes in the set's own order.

    Args:
        model (str): 'label', 'caption' or 'fcclip'.
        name (str): Of the input.
        images (list[ndarray]): What enters the network, RGB, uint8, (3, H, W) each.
        sizes (list[tuple[int, int]]): Height and width of the results.
        classes (list[list[str]]): Names of each class.
        things (list[int]): Which classes are things.
        arrays (dict[str, Golden]): What the official model made of it.
        segments (dict[str, list]): Segments of the panoptic maps, by threshold ('thr0.8').
        run (str): What is changed in the model: '' for nothing.
    """

    model: str
    name: str
    images: list[np.ndarray]
    sizes: list[tuple[int, int]]
    classes: Classes
    things: list[int]
    arrays: dict[str, Golden]
    segments: dict[str, list[dict]]
    run: str = ''

    @property
    def image(self) -> np.ndarray:
        """The one image."""
        image, = self.images
        return image

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its results."""
        size, = self.sizes
        return size


@dataclass
class Photo:
    """An image as it is in its file, and as it enters the network.

    Args:
        name (str): Of the input.
        image (ndarray): RGB, uint8, (H, W, 3).
        scale (tuple[int, int]): Most pixels of the long side, and of the short one.
        resized (Golden): What the official release makes of it, uint8, (3, h, w).
    """

    name: str
    image: np.ndarray
    scale: tuple[int, int]
    resized: Golden


@dataclass
class TrainingStep:
    """A step of training over a batch; the classes are those of the training.

    Args:
        model (str): 'label', 'caption' or 'fcclip'.
        images (list[ndarray]): RGB, uint8, (3, H, W) each.
        masks (list[ndarray]): Bool, (n, H, W) each.
        labels (list[list[int]]): Class of each mask.
        words (list[list[str]], optional): Of the captions; empty where none is valid.
        num_words (int): Words of a caption that were drawn, valid or not.
        random (list[ndarray]): All that was drawn, in the official model's order.
        arrays (dict[str, Golden]): Stages.
        losses (dict[str, float]): Weighted.
        total (float): Their sum.
        matching (list): For each prediction and image, indices of queries and of masks.
        gradients (dict[str, Golden]): Whole or sampled, by official names.
        gradient_norms (dict[str, float]): By official names.
        noise (dict[str, float]): Error of a gradient to expect of another machine, over its
            largest value; under '' what holds for all others.
        norm_noise (dict[str, float]): The same of the norms, over the norm.
    """

    model: str
    images: list[np.ndarray]
    masks: list[np.ndarray]
    labels: list[list[int]]
    words: list[list[str]] | None
    num_words: int
    random: list[np.ndarray]
    arrays: dict[str, Golden]
    losses: dict[str, float]
    total: float
    matching: list
    gradients: dict[str, Golden]
    gradient_norms: dict[str, float]
    noise: dict[str, float] = field(default_factory=dict)
    norm_noise: dict[str, float] = field(default_factory=dict)


@dataclass
class GoldenSet:
    """A folder of golden data.

    Args:
        folder (Path): Where it is.
        meta (dict): Its ``meta.json``.
        models (dict[str, dict]): For each model the settings, as a config's options, in which it
            differs from its recipe, sizes apart.
        constants (dict[str, Golden]): Arrays that belong to no image.
        texts (list[str]): What the arrays of texts among the constants are of.
        cases (list[Case]): Images.
        steps (list[TrainingStep]): Steps of training.
        photos (list[Photo]): What images are made of.
        write (Callable): Gives the path of a weights file in the original format: 'sd', 'clip', or
            the name of a model.
        unread (list[tuple[str, str, str]]): Of what the set says it holds but does not, and of
            files that nobody knows: model, input and what it is.
    """

    folder: Path
    meta: dict
    models: dict[str, dict]
    constants: dict[str, Golden]
    texts: list[str]
    cases: list[Case]
    steps: list[TrainingStep]
    photos: list[Photo]
    write: Callable[[str], Path]
    unread: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def training_classes(self) -> tuple[Classes, list[int]]:
        """Classes of the training, and which of them are things."""
        return self.classes_of_training(self.meta)

    @staticmethod
    def classes_of_training(meta: dict) -> tuple[Classes, list[int]]:
        """The same of a ``meta.json``."""
        classes, things = meta['train_labels'], meta.get('train_things')
        if things is None:  # the sets of full size are of COCO
            known = CocoPanopticDataset.METAINFO['thing_classes']
            things = [i for i, names in enumerate(classes) if names[0] in known]
        return classes, things
