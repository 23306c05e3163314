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


class Stitcher:
    """Puts feature maps of windows together as they come; overlaps are averaged.

    Args:
        batch (int): Number of images B.
        origins (list[tuple[int, int]]): Origins (y, x) of the n windows of an image, in its pixels.
        stride (int): Pixels of the image a cell of the maps.
        size (tuple[int, int]): Height and width of the images in pixels.
    """

    def __init__(
        self, batch: int, origins: list[tuple[int, int]], stride: int, size: tuple[int, int]
    ) -> None:
        self.batch, self.size = batch, (size[0] // stride, size[1] // stride)
        self.origins = [(y // stride, x // stride) for y, x in origins]
        self.added = self.side = 0
        self.stitched: Tensor | None = None

    def add(self, maps: Tensor) -> None:
        """Take the next windows' maps, in the order of :func:`cut_windows`, (N, C, h, w)."""
        if len(self.origins) == 1 and len(maps) == self.batch:
            self.stitched = maps  # a window an image, and all at once
            return
        if self.stitched is None:
            self.side = maps.shape[-1]
            self.stitched = maps.new_zeros(self.batch, maps.shape[1], *self.size)
        places = []
        for window in range(self.added, self.added + len(maps)):
            image, i = divmod(window, len(self.origins))
            places.append((image, *self.origins[i]))
        self.stitched = _AddWindows.apply(self.stitched, maps, places)
        self.added += len(maps)

    def finish(self) -> Tensor:
        """The maps of whole images, (B, C, H // stride, W // stride)."""
        if self.added * self.side**2 in (0, self.batch * self.size[0] * self.size[1]):
            return self.stitched  # no overlaps
        count = self.stitched.new_zeros(self.size)
        for y, x in self.origins:
            count[y : y + self.side, x : x + self.side] += 1
        return self.stitched.div_(count)


class _AddWindows(torch.autograd.Function):
    """Adds windows (N, C, h, w) to whole maps in place, at places (image, y, x).

    Autograd's own in-place additions to parts of a tensor copy the whole gradient for each of them.
    """

    @staticmethod
    def forward(ctx, whole: Tensor, windows: Tensor, places: list) -> Tensor:
        ctx.places, ctx.size = places, windows.shape[-2:]
        for part, window in zip(_parts(whole, places, ctx.size), windows, strict=True):
            part += window
        ctx.mark_dirty(whole)
        return whole

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple:
        return grad, torch.stack(_parts(grad, ctx.places, ctx.size)), None


def _parts(whole: Tensor, places: list[tuple[int, int, int]], size: tuple) -> list[Tensor]:
    h, w = size
    return [whole[image, :, y : y + h, x : x + w] for image, y, x in places]
