"""Results of an image that come together band by band of its rows.

Each class proposes queries as ``wanted``, int64 on the device, -1 for those that it does without.
Once the host knows them, it begins with those ``kept`` (indices into ``wanted``), is given bands of
their masks, in order, and then finishes. A band is where masks are on (logit > 0) and what their
probabilities are, both (M, rows, W), with M masks among which ``queries`` counts; None in place of
the former if no result ``reads_inside``.
"""

import torch
import torch.nn.functional as F
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from ...vocabulary import Vocabulary
from .segments import BandedSegments, Size


class BandedPanoptic(BandedSegments):
    """The panoptic map, as mmdet's ``MaskFormerFusionHead.panoptic_postprocess`` makes it.

    Args:
        classes (Tensor): Probabilities of K classes and "no object", (Q, K + 1).
        vocabulary (Vocabulary): K classes.
        size (tuple[int, int]): Height and width of the map.
        void (int): The number that stands for void.
        **kwargs: As for :class:`BandedSegments`.
    """

    def __init__(
        self, classes: Tensor, vocabulary: Vocabulary, size: Size, void: int, **kwargs
    ) -> None:
        super().__init__(classes, vocabulary.num_things, size, **kwargs)
        self.vocabulary, self.void = vocabulary, void

    def finish(self) -> PixelData:
        """The map, class + 1000 x instance, int32, (1, H, W), and what its readers must know."""
        valid = self.valid()
        things = valid & (self.labels < self.num_things)
        segments = self.labels + INSTANCE_OFFSET * things.cumsum(0) * things
        # where class 0 is stuff, its id 0 is what a PNG writes for void
        segments.masked_fill_(segments == 0, INSTANCE_OFFSET)
        segments = segments.masked_fill(~valid, self.void).int()
        segments = torch.cat([segments, segments.new_full((1, ), self.void)])
        result = PixelData(sem_seg=self.paint(segments)[None])
        result.set_metainfo(dict(
            ignore_index=self.void, label_names=list(self.vocabulary.class_names)))
        return result


class BandedInstances:
    """The best query-class pairs that are things.

    Args:
        classes (Tensor): Probabilities of K classes and "no object", (Q, K + 1).
        num_things (int): How many of the classes, the first ones, are things.
        size (tuple[int, int]): Height and width of the image.
        max_number (int): How many pairs are looked at.
    """

    reads_inside = True

    def __init__(self, classes: Tensor, num_things: int, size: Size, max_number: int) -> None:
        classes = classes[:, :-1]
        self.scores, pairs = classes.flatten().topk(
            min(max_number, classes.numel()), sorted=False)
        self.labels = pairs % classes.shape[1]
        self.wanted = (pairs // classes.shape[1]).masked_fill(self.labels >= num_things, -1)
        self.size = size

    def begin(self, kept: Tensor, queries: Tensor) -> None:
        """Take the pairs that are kept, and the places ``queries`` of their masks in a band."""
        self.queries = queries
        self.scores, self.labels = self.scores[kept], self.labels[kept]
        self.masks = torch.empty((len(kept), *self.size), dtype=torch.bool, device=kept.device)
        # of each mask that is given: its area, the sum of its probabilities, what rows and columns
        # it touches
        self.areas = self.sums = self.touched_columns = 0
        self.touched_rows = None

    def add(self, rows: slice, inside: Tensor, probabilities: Tensor) -> None:
        """Take a band: note where masks are, and their mean probability there."""
        self.masks[:, rows] = inside[self.queries]
        self.areas += inside.sum((1, 2), dtype=torch.int32)
        self.sums += (probabilities * inside).sum((1, 2))
        self.touched_columns |= inside.any(1)
        if self.touched_rows is None:
            self.touched_rows = inside.new_empty(len(inside), self.masks.shape[1])
        self.touched_rows[:, rows] = inside.any(2)

    def finish(self) -> InstanceData:
        """Boxes, labels, scores (class x mean probability inside the mask) and masks."""
        inside = self.sums / (self.areas + 1e-6)
        left, right = _extent(self.touched_columns)
        top, bottom = _extent(self.touched_rows)
        boxes = torch.stack([left, top, right, bottom], dim=1).float()
        return InstanceData(
            bboxes=boxes[self.queries], labels=self.labels,
            scores=self.scores * inside[self.queries], masks=self.masks)


class BandedSemantic:
    """The class of each pixel: the one with the largest sum of class x mask probability.

    Args:
        classes (Tensor): Probabilities of K classes and "no object", (Q, K + 1).
        size (tuple[int, int]): Height and width of the map.
        max_bytes (int): Memory for scores of all classes, which decides how many pixels at once.
    """

    reads_inside = False

    def __init__(self, classes: Tensor, size: Size, max_bytes: int) -> None:
        self.wanted = torch.arange(len(classes), device=classes.device)
        self.classes = classes[:, :-1]
        self.size, self.max_bytes = size, max_bytes

    def begin(self, kept: Tensor, queries: Tensor) -> None:
        """Take all masks."""
        self.labels = torch.empty(self.size, dtype=torch.int64, device=kept.device)

    def add(self, rows: slice, inside: Tensor | None, probabilities: Tensor) -> None:
        """Take a band."""
        pixels = max(self.max_bytes // (4 * self.classes.shape[1]), 1)
        parts = probabilities.flatten(1).split(pixels, dim=1)
        # written at once: small tensors kept between large ones would keep the allocator from
        # using the memory of the last scores for the next
        for labels, part in zip(self.labels[rows].view(-1).split(pixels), parts, strict=True):
            labels.copy_(semantic_scores(self.classes, part).max(0).indices)

    def finish(self) -> PixelData:
        """The map, int64, (1, H, W)."""
        return PixelData(sem_seg=self.labels[None])


class ResizedSemantic(BandedSemantic):
    """The same, of scores that are resized before classes are compared.

    Args:
        classes (Tensor): As in :class:`BandedSemantic`.
        size (tuple[int, int]): Height and width of the bands together.
        max_bytes (int): Memory for resized scores, which decides how many classes at once. The
            scores themselves are there as a whole.
        full_size (tuple[int, int]): Height and width of the map.
    """

    def __init__(self, classes: Tensor, size: Size, max_bytes: int, full_size: Size) -> None:
        super().__init__(classes, size, max_bytes)
        self.full_size = full_size

    def begin(self, kept: Tensor, queries: Tensor) -> None:
        """Take all masks."""
        self.scores = self.classes.new_empty(self.classes.shape[1], *self.size)

    def add(self, rows: slice, inside: Tensor | None, probabilities: Tensor) -> None:
        """Take a band."""
        self.scores[:, rows] = semantic_scores(self.classes, probabilities)

    def finish(self) -> PixelData:
        """The map, int64, (1, H, W)."""
        at_once = max(self.max_bytes // (4 * self.full_size[0] * self.full_size[1]), 1)
        largest, labels, first = -torch.inf, 0, 0
        for scores in self.scores.split(at_once):
            resized = F.interpolate(
                scores[None], self.full_size, mode='bilinear', align_corners=False)[0]
            best, index = resized.max(0)
            labels = torch.where(best > largest, index + first, labels)
            largest = torch.maximum(best, torch.as_tensor(largest).to(best))
            first += len(scores)
        return PixelData(sem_seg=labels[None])


def semantic_scores(classes: Tensor, masks: Tensor) -> Tensor:
    """Sum, over queries, of class x mask probability.

    Args:
        classes (Tensor): Probabilities of K classes, (Q, K).
        masks (Tensor): Probabilities of pixels, (Q, ...).

    Returns:
        Tensor: (K, ...).
    """
    return torch.tensordot(classes, masks, dims=([0], [0]))


def _extent(hits: Tensor) -> tuple[Tensor, Tensor]:
    """Where the first True of each row of (N, L) is, and the end of the last; 0 where none is."""
    hits = hits.byte()
    first, last = hits.argmax(1), hits.shape[1] - hits.flip(1).argmax(1)
    return first, last * hits.amax(1)
