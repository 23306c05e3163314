"""Where a picture is in the square that a network sees, and in the padded batch."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]

_OUTSIDE = -10.0  # logit of what is no part of the picture
_LONG_SIDE = 512  # logits of more pixels would be finer than those of the network


class Frame(NamedTuple):
    """Sizes of a picture, as height and width, on its way into the network and out of it.

    Attributes:
        image: Of the picture in the batch, without its padding.
        padded: Of the batch.
        resized: Of the picture in the network's square.
        square: Of what the network sees.
    """

    image: Size
    padded: Size
    resized: Size
    square: Size

    @property
    def size(self) -> Size:
        """Of the logits of :meth:`place`: the padded image, made smaller where it is large."""
        step = max(1, max(self.image) // _LONG_SIDE)
        return tuple(-(-side // step) for side in self.padded)

    @property
    def area(self) -> float:
        """Pixels of the picture that a pixel of :meth:`place` stands for."""
        (height, width), (rows, columns) = self.padded, self.size
        return height * width / (rows * columns)

    def grid_points(self, per_side: int, device: torch.device) -> Tensor:
        """Points in the middle of ``per_side`` x ``per_side`` cells of the picture.

        Returns:
            Tensor: x and y in pixels of the square, (per_side**2, 2), row by row.
        """
        places = (torch.arange(per_side, device=device) + 0.5) / per_side
        y, x = torch.meshgrid(places * self.resized[0], places * self.resized[1], indexing='ij')
        return torch.stack([x, y], dim=-1).flatten(0, 1)

    def place(self, logits: Tensor) -> Tensor:
        """Bring logits of the square onto the padded image, bilinearly.

        Args:
            logits (Tensor): (N, h, w), of any resolution.

        Returns:
            Tensor: float32, (N, *size); -10 where there is no picture.
        """
        centres = [(torch.arange(number, device=logits.device) + 0.5) * (padded / number)
                   for number, padded in zip(self.size, self.padded, strict=True)]
        y, x = (2 * centre * (resized / image) / square - 1
                for centre, resized, image, square in
                zip(centres, self.resized, self.image, self.square, strict=True))
        grid = torch.stack(torch.meshgrid(y, x, indexing='ij')[::-1], dim=-1)
        placed = F.grid_sample(
            logits[None].float(), grid[None], padding_mode='border', align_corners=False)[0]
        rows, columns = (centre < image for centre, image in
                         zip(centres, self.image, strict=True))
        return placed.masked_fill_(~(rows[:, None] & columns), _OUTSIDE)
