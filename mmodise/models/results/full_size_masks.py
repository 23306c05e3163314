"""Masks of an image at its full size, a few rows at a time."""

from collections.abc import Iterator
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


class FullSizeMasks:
    """Mask logits of an image, resized to its full size as they are asked for.

    They are resized to the padded input, cropped to the image and resized to the original size
    (official release), each time bilinearly. Columns are what ``F.interpolate`` makes of them. Rows
    depend on rows only, so that any of them can be had without the others: both steps are one small
    matrix, whose weights are those of ``F.interpolate``.

    Args:
        logits (Tensor): Of the padded image, (Q, h, w).
        meta (dict): With ``batch_input_shape``, ``img_shape`` and ``ori_shape``.
        rescale (bool): Whether the full size is the original size, or else the input's.
    """

    def __init__(self, logits: Tensor, meta: dict, rescale: bool = True) -> None:
        self.logits = logits
        padded, image = meta['batch_input_shape'], meta['img_shape'][:2]
        #: Height and width of the full size.
        self.size: tuple[int, int] = tuple((meta['ori_shape'] if rescale else image)[:2])
        self._widths = (padded[1], image[1], self.size[1])
        places, weights = _taps(logits.shape[1], padded[0], range(image[0]))
        if rescale:  # an original's row is made of rows of the image, and these of rows of the mask
            twice, shares = _taps(image[0], self.size[0], range(self.size[0]))
            places = places[twice].flatten(1)
            weights = (weights[twice] * shares[..., None]).flatten(1)
        self._places, self._weights = places, weights  # (H, 2) or (H, 4)

    def bands(self, max_bytes: int, num_masks: int) -> Iterator[slice]:
        """Divide the rows so that three float32 arrays of a band fit in some memory.

        Args:
            max_bytes (int): The memory. A band is a row at least.
            num_masks (int): How many masks are asked for.
        """
        padded, _, width = self._widths
        # a band of rows of masks, before and after their columns are resized, makes a band of ours
        source = self.logits.shape[1] / self.size[0] * (padded + width)
        row = max(3 * width, source + width)
        fitting = (max_bytes / (4 * max(num_masks, 1)) - 4 * (padded + width)) / row
        number = min(ceil(self.size[0] / max(fitting, 1)), self.size[0])
        edges = [i * self.size[0] // number for i in range(number + 1)]
        yield from map(slice, edges, edges[1:])

    def rows(self, rows: slice, masks: Tensor) -> Tensor:
        """The logits of a band.

        Args:
            rows (slice): From start to stop, of the full size.
            masks (Tensor): Which masks, int64, (M,).

        Returns:
            Tensor: float32, (M, rows.stop - rows.start, W).
        """
        places = self._places[rows]
        first, last = int(places.min()), int(places.max()) + 1
        band = self.logits[masks, first:last].float()
        padded, image, full = self._widths
        band = _resize_columns(_resize_columns(band, padded)[..., :image], full)
        matrix = torch.zeros(len(places), last - first, device='cpu')
        matrix.scatter_add_(1, places - first, self._weights[rows])
        return matrix.to(band.device, non_blocking=True) @ band


def _resize_columns(maps: Tensor, width: int) -> Tensor:
    if maps.shape[-1] == width:
        return maps
    size = (maps.shape[-2], width)
    return F.interpolate(maps[:, None], size, mode='bilinear', align_corners=False)[:, 0]


def _taps(source: int, target: int, wanted: range) -> tuple[Tensor, Tensor]:
    """What ``F.interpolate`` makes elements of: two places (N, 2) and their weights (N, 2)."""
    # the ratio is rounded to float32 and the place once more, which is what its kernels do
    ratio = float(np.float32(source) / np.float32(target))
    places = (torch.tensor(wanted, dtype=torch.float64, device='cpu') + 0.5) * ratio - 0.5
    places = places.clamp(min=0).float()
    low = places.long().clamp(max=source - 1)
    high = (low + 1).clamp(max=source - 1)
    share = places - low
    return torch.stack([low, high], 1), torch.stack([1 - share, share], 1)
