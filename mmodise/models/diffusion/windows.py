"""Square windows over a batch of images, and back."""

import torch
from torch import Tensor


def window_origins(length: int, side: int) -> list[int]:
    """Where windows begin along one axis.

    Stride = side; the last window is shifted inwards so that it ends at the border.

    Args:
        length (int): Pixels of the axis, at least ``side``.
        side (int): Pixels of a window.
    """
    return [min(start, length - side) for start in range(0, length, side)]


def cut_windows(images: Tensor, side: int) -> tuple[Tensor, list[tuple[int, int]]]:
    """Cut images into windows, row by row.

    Args:
        images (Tensor): (B, C, H, W).
        side (int): Side of the windows, at most H and W.

    Returns:
        tuple: Windows, (B x n, C, side, side), those of an image one after another; and the
        origins (y, x) of the n windows of an image.
    """
    height, width = images.shape[-2:]
    origins = [(y, x) for y in window_origins(height, side) for x in window_origins(width, side)]
    windows = [images[..., y : y + side, x : x + side] for y, x in origins]
    return torch.stack(windows, dim=1).flatten(0, 1), origins



def stitch_windows(
    maps: Tensor, origins: list[tuple[int, int]], stride: int, size: tuple[int, int]
) -> Tensor:
    """Put the windows' feature maps together; overlaps are averaged.

    Args:
        maps (Tensor): Maps of all windows in the order of :func:`cut_windows`,
            (B x n, C, side // stride, side // stride).
        origins (list[tuple[int, int]]): Origins (y, x) of the n windows, in pixels of the image.
        stride (int): Pixels of the image a cell of the map.
        size (tuple[int, int]): Height and width of the image in pixels.

    Returns:
        Tensor: (B, C, H // stride, W // stride).
    """
    if len(origins) == 1:
        return maps
    maps = maps.unflatten(0, (-1, len(origins)))  # (B, n, C, h, w)
    batch, _, channels, h, w = maps.shape
    stitched = maps.new_zeros(batch, channels, size[0] // stride, size[1] // stride)
    count = maps.new_zeros(stitched.shape[-2:])
    for i, (y, x) in enumerate(origins):
        area = (..., slice(y // stride, y // stride + h), slice(x // stride, x // stride + w))
        stitched[area] += maps[:, i]
        count[area] += 1
    return stitched / count
