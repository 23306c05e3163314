"""What a readout is worth: how its outputs and the classes meet, in figures."""

from __future__ import annotations

from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


class Score(NamedTuple):
    """Figures of a readout, 0 to 1.

    Attributes:
        miou (float): Mean over the classes that occur in the truth of the intersection over union.
        accuracy (float): Share of the cells that are right.
    """

    miou: float
    accuracy: float


def count_meetings(outputs: Tensor, labels: Tensor, shape: tuple[int, int]) -> Tensor:
    """Count how often each output meets each class.

    Args:
        outputs (Tensor): Integers below K, (N,).
        labels (Tensor): Classes, (N,).
        shape (tuple[int, int]): K and the number of classes.

    Returns:
        Tensor: int64, (K, classes).
    """
    return torch.bincount(outputs * shape[1] + labels, minlength=shape[0] * shape[1]).view(shape)


def match(meetings: Tensor) -> Tensor:
    """Give each output the class that makes most cells right (Hungarian assignment).

    Each class goes to one output at most.

    Args:
        meetings (Tensor): Of :func:`count_meetings`.

    Returns:
        Tensor: A class per output, -1 for none, (K,).
    """
    classes = torch.full((len(meetings), ), -1)
    rows, columns = linear_sum_assignment(meetings.numpy(), maximize=True)
    classes[torch.from_numpy(rows)] = torch.from_numpy(columns)
    return classes


def score(meetings: Tensor, classes: Tensor) -> Score:
    """Compare what outputs say with the truth.

    Args:
        meetings (Tensor): Of :func:`count_meetings`.
        classes (Tensor): The class that each output stands for, -1 for none, (K,).
    """
    number = meetings.shape[1]
    confusion = torch.zeros(number + 1, number, dtype=torch.float64)  # the last row: no class
    confusion.index_add_(0, torch.where(classes < 0, number, classes), meetings.double())
    right, true, said = confusion.diagonal(), confusion.sum(0), confusion.sum(1)[:-1]
    occurs = true > 0
    ratios = right[occurs] / (true + said - right)[occurs]
    return Score(float(ratios.mean()), float(right.sum() / true.sum()))
