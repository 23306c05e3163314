"""The segments of an image, put together band by band of its rows; no limit of classes."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor

Size = tuple[int, int]


class SegmentMap(NamedTuple):
    """Segments that share the pixels of an image.

    Attributes:
        ids: The segment of each pixel, 1 to n, 0 is void; int32, (H, W).
        queries: The mask that each segment is made from, int64, (n,); of a stuff class, which is
            one segment, the mask with the best score.
        labels: Its class, int64, (n,).
        probabilities: Of K classes and "no object", (n, K + 1).
    """

    ids: Tensor
    queries: Tensor
    labels: Tensor
    probabilities: Tensor


class BandedSegments:
    """Segments as mmdet's ``MaskFormerFusionHead.panoptic_postprocess`` finds them.

    Proposes queries, and is given bands of their masks, as told in :mod:`.banded_results`.

    Args:
        classes (Tensor): Probabilities of K classes and "no object", (Q, K + 1).
        num_things (int): How many of the classes, the first ones, are things.
        size (tuple[int, int]): Height and width of the map.
        threshold (float): Score that a mask must exceed.
        kept_share (float): Share of its own area that a segment must keep.
        cut_low (bool): Whether segments end where their mask is under 0.5.
    """

    #: Whether it needs to know where masks are on, apart from their probabilities.
    reads_inside = False

    def __init__(
        self, classes: Tensor, num_things: int, size: Size, threshold: float, kept_share: float,
        cut_low: bool,
    ) -> None:
        self.classes, self.num_things = classes, num_things
        self.scores, self.labels = classes.max(-1)
        found = (self.labels != classes.shape[1] - 1) & (self.scores > threshold)
        self.wanted = torch.arange(len(classes), device=classes.device).masked_fill(~found, -1)
        self.size, self.kept_share, self.cut_low = size, kept_share, cut_low

    def begin(self, kept: Tensor, queries: Tensor) -> None:
        """Take the masks that are kept, and their places ``queries`` among those of a band."""
        self.kept, self.queries = kept, queries
        self.scores, self.labels = self.scores[kept], self.labels[kept]
        # the mask that a pixel goes to; one past the last is none
        self.owners = torch.full(self.size, len(kept), dtype=torch.int32, device=kept.device)
        self.areas = torch.zeros_like(kept)
        self.won = torch.zeros_like(kept)

    @torch.no_grad()
    def add(self, rows: slice, inside: Tensor | None, probabilities: Tensor) -> None:
        """Take a band: each pixel goes to the mask of the largest score x probability."""
        if not len(self.queries):
            return
        # queries ascend, so that as many as there are masks are all of them
        is_all = len(self.queries) == len(probabilities)
        masks = probabilities if is_all else probabilities[self.queries]
        space = torch.empty_like(masks)
        self.areas += torch.ge(masks, 0.5, out=space).sum(2).long().sum(1)
        owners = _first_best(torch.mul(masks, self.scores[:, None, None], out=space))
        self.won.scatter_add_(0, owners.flatten(), owners.new_ones(1).expand(owners.numel()))
        if self.cut_low:
            owners.masked_fill_(masks.gather(0, owners) < 0.5, len(self.queries))
        self.owners[rows] = owners[0]

    def valid(self) -> Tensor:
        """Which of the kept masks become segments, bool, (kept,)."""
        valid = (self.won > 0) & (self.areas > 0)
        return valid & is_share(self.won, self.areas, self.kept_share)

    def paint(self, numbers: Tensor) -> Tensor:
        """The number of each pixel's mask, (H, W); the last of ``numbers`` is for no mask."""
        return numbers.index_select(0, self.owners.flatten()).view(self.owners.shape)

    def finish(self) -> SegmentMap:
        """The segments, in the order of their queries."""
        areas = torch.bincount(self.owners.flatten(), minlength=len(self.kept) + 1)[:-1]
        valid = self.valid() & (areas > 0)  # what is cut off where it is low may be all of it
        numbers, best = self._number(valid)
        queries = self.kept[best]
        return SegmentMap(
            self.paint(numbers), queries, self.labels[best], self.classes[queries])

    def _number(self, valid: Tensor) -> tuple[Tensor, Tensor]:
        """The segment of each kept mask and of none, and each segment's mask of the best score."""
        labels, is_valid = torch.stack([self.labels, valid]).tolist()
        scores = self.scores.tolist()
        groups: dict[int, list[int]] = {}
        for place in filter(is_valid.__getitem__, range(len(labels))):
            is_thing = labels[place] < self.num_things
            groups.setdefault(-1 - place if is_thing else labels[place], []).append(place)
        numbers = [0] * (len(labels) + 1)
        for number, places in enumerate(groups.values(), start=1):
            for place in places:
                numbers[place] = number
        best = [max(places, key=scores.__getitem__) for places in groups.values()]
        device = valid.device
        return (torch.tensor(numbers, dtype=torch.int32, device=device),
                torch.tensor(best, dtype=torch.int64, device=device))


def _first_best(scores: Tensor) -> Tensor:
    """Where the largest of (M, ...) is, int64, (1, ...); overwrites them.

    Of equal ones it is the first, as in ``scores.max(0)``, which takes five times as long on a CPU.
    """
    number = len(scores)
    ranks = torch.arange(number, 0, -1, device=scores.device, dtype=scores.dtype)
    hits = scores.eq_(scores.amax(0)).mul_(ranks.view(-1, *[1] * (scores.ndim - 1)))
    return number - hits.amax(0, keepdim=True).long()


def is_share(parts: Tensor, wholes: Tensor, share: float) -> Tensor:
    """Whether parts are at least a share of wholes, as a division in float64 decides.

    Computed in whole numbers, since not all devices have float64.

    Args:
        parts (Tensor): int64, less than 2**31.
        wholes (Tensor): Likewise.
        share (float): The share.
    """
    fraction = Fraction(float(share)).limit_denominator(2**31)
    return parts * fraction.denominator >= wholes * fraction.numerator
