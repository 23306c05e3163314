"""The grid of cells that all maps are compared on: its truth, and what a map has there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

#: Pixels of a cell's side: the finest that a recipe reads; what is finer is averaged.
STRIDE = 4
#: Of cells without a class.
VOID = -1


def cell_labels(labels: Tensor, size: tuple[int, int], num_classes: int) -> Tensor:
    """The class of most pixels of each cell.

    Args:
        labels (Tensor): Of the picture's pixels, (h, w), integers; what is no class is void.
        size (tuple[int, int]): Of the padded picture, multiples of ``STRIDE``; padding is void.
        num_classes (int): Labels below it are classes.

    Returns:
        Tensor: int64, (H // STRIDE, W // STRIDE), ``VOID`` where most pixels are void; of classes
        with as many pixels the lowest.
    """
    padded = torch.full(size, num_classes, dtype=torch.int64)
    labels = labels.long()
    padded[:labels.shape[0], :labels.shape[1]] = torch.where(
        (labels >= 0) & (labels < num_classes), labels, num_classes)
    rows, columns = size[0] // STRIDE, size[1] // STRIDE
    pixels = padded.view(rows, STRIDE, columns, STRIDE).transpose(1, 2).flatten(2)
    most = pixels.mode(dim=-1).values
    return torch.where(most == num_classes, VOID, most)


class CellSample(NamedTuple):
    """Cells of a picture to learn from, as places in its flattened grid.

    Attributes:
        even (Tensor): As many of each class as there are, up to an equal share; for what learns
            from the truth.
        anywhere (Tensor): Drawn without regard to the truth, though not from void.
    """

    even: Tensor
    anywhere: Tensor


def sample_cells(labels: Tensor, number: int, generator: np.random.Generator) -> CellSample:
    """Draw cells of a picture.

    Args:
        labels (Tensor): Of :func:`cell_labels`.
        number (int): Cells of each of the two samples, at most.
        generator (Generator): The random numbers.
    """
    flat = labels.flatten().numpy()
    places = generator.permutation(np.flatnonzero(flat != VOID))
    found = np.unique(flat[places])
    share = -(-number // max(len(found), 1))
    even = [places[flat[places] == label][:share] for label in found]
    even = np.concatenate([*even, places[:0]])
    return CellSample(torch.from_numpy(even), torch.from_numpy(places[:number]))


def pooled(maps: Tensor, stride: float) -> Tensor:
    """A map that is finer than the grid, averaged over its cells; others as they are.

    Args:
        maps (Tensor): (..., C, h, w).
        stride (float): Of the map, in pixels.
    """
    factor = round(STRIDE / stride)
    return F.avg_pool2d(maps, factor) if factor > 1 else maps


def at_cells(feature: Tensor, cells: Tensor, size: tuple[int, int]) -> Tensor:
    """What a map has at some cells, between its own cells by bilinear interpolation.

    Args:
        feature (Tensor): Not finer than the grid, (C, h, w).
        cells (Tensor): Places in the flattened grid, (N,).
        size (tuple[int, int]): Rows and columns of the grid.

    Returns:
        Tensor: (N, C).
    """
    rows, columns = size
    x, y = cells % columns, cells // columns
    places = torch.stack([(2 * x + 1) / columns - 1, (2 * y + 1) / rows - 1], dim=-1)
    places = places.to(feature)[None, None]
    return F.grid_sample(
        feature[None], places, padding_mode='border', align_corners=False)[0, :, 0].T


def to_grid(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """A map that is not finer than the grid at all cells, (B, C, rows, columns)."""
    if maps.shape[-2:] == torch.Size(size):
        return maps
    return F.interpolate(maps, size, mode='bilinear', align_corners=False)
