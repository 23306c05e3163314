"""Which of many masks are kept: sure, stable, and none twice (Segment Anything, appendix B)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor


@dataclass(frozen=True)
class MaskFilter:
    """What masks of automatic prompts must be to be kept.

    Args:
        quality (float): What the quality that the network predicts, an IoU, must exceed.
        stability (float): Least IoU of a mask cut off at ``offset`` and at ``-offset``.
        offset (float): Of logits, for the stability.
        overlap (float): Greatest IoU of the boxes of two masks; of more, the one of the better
            quality is kept.
        min_area (float): Least number of pixels.
    """

    quality: float = 0.88
    stability: float = 0.95
    offset: float = 1.0
    overlap: float = 0.7
    min_area: float = 0.0

    def is_stable(self, logits: Tensor, pixel_area: float = 1.0) -> Tensor:
        """Which masks are stable and large enough.

        Args:
            logits (Tensor): (N, H, W).
            pixel_area (float): What a pixel counts. Defaults to 1.

        Returns:
            Tensor: bool, (N,).
        """
        low, high = ((logits > edge).sum((1, 2)) for edge in (-self.offset, self.offset))
        area = (logits > 0).sum((1, 2))
        return (area > 0) & (area * pixel_area >= self.min_area) & (high >= self.stability * low)

    def without_duplicates(self, masks: Tensor, quality: Tensor) -> Tensor:
        """Which masks are kept of those whose boxes overlap.

        Args:
            masks (Tensor): bool, none of them empty, (N, H, W).
            quality (Tensor): (N,).

        Returns:
            Tensor: Their places, the best quality first, int64.
        """
        order = quality.argsort(descending=True, stable=True)
        boxes = boxes_of(masks)[order]
        clash = (bbox_overlaps(boxes, boxes) > self.overlap).cpu()
        gone, kept = torch.zeros(len(order), dtype=torch.bool, device='cpu'), []
        for place in range(len(order)):
            if not gone[place]:
                kept.append(place)
                gone |= clash[place]
        return order[torch.tensor(kept, dtype=torch.int64, device=order.device)]


def boxes_of(masks: Tensor) -> Tensor:
    """Left, top, right and bottom (these two excluded) of masks, bool, (N, H, W): float, (N, 4)."""
    edges = []
    for hits in (masks.any(1), masks.any(2)):  # columns, rows
        hits = hits.byte()
        edges.append((hits.argmax(1), hits.shape[1] - hits.flip(1).argmax(1)))
    (left, right), (top, bottom) = edges
    return torch.stack([left, top, right, bottom], dim=1).float()
