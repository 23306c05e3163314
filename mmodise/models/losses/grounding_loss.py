"""The loss of caption supervision: which caption belongs to which image."""

import warnings
from collections.abc import Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.dist import all_gather_object, get_rank
from torch import Tensor, nn

from .box_overlap import masks_in_boxes


@MODELS.register_module()
class GroundingLoss(nn.Module):
    """Contrasts images with captions, by the masks of the ones and the words of the others.

    Image caption supervision of the paper, in the official release's form. The images of all ranks
    are contrasted with the captions of all ranks, which may have different numbers of images.

    Every rank returns the loss of the whole batch, and a gradient flows back to the rank that it
    belongs to, once from each rank. The mean over ranks that DDP and FSDP take of the gradients
    makes that the gradient of the whole batch's loss, for all trained parameters.

    **Words with boxes.** With S_qk the similarity of mask q and word k, a caption describes an
    image as well as the mean over its words of

        sum over q in M_k of softmax_q in M_k(S_qk) S_qk

    In the paper's loss M_k is all masks of the image. With ``min_overlap`` a word that has a box is
    grounded in its own image only in masks of the box: M_k are those whose :func:`box_overlap` with
    it is at least ``min_overlap``; all, if there is none or no such mask. Other images are compared
    with all of their masks: their pictures show what it is not. The limit is hard: gradients reach
    the embeddings of the masks in M_k, and no masks, which boxes would teach to be boxes. (A loss
    that asks for all attention within the box would be wrong where a second object of that name has
    no region, as is common in Visual Genome; a factor that falls with the overlap would hardly
    count beside softmax, whose temperature makes cosines differ by powers of e.)

    Args:
        loss_weight (float): Defaults to 1.0 (official release).
        min_overlap (float, optional): In 0..1. Defaults to None, boxes are not read (paper).

    Raises:
        ValueError: If ``min_overlap`` is not above 0 and at most 1.
    """

    def __init__(self, loss_weight: float = 1.0, min_overlap: float | None = None) -> None:
        super().__init__()
        if min_overlap is not None and not 0 < min_overlap <= 1:
            raise ValueError(f'GroundingLoss: min_overlap={min_overlap}, expected a number above 0 '
                             'and at most 1; None, if boxes are not to be read.')
        self.loss_weight, self.min_overlap = loss_weight, min_overlap

    def candidates(
        self,
        layers: Sequence[Tensor],
        boxes: Sequence[Tensor],
        sizes: Sequence[tuple[int, int]],
    ) -> list[Tensor] | None:
        """Which masks words may be grounded in, for :meth:`forward`.

        Args:
            layers (Sequence[Tensor]): Mask logits of each layer, (B, Q, h, w).
            boxes (Sequence[Tensor]): Of the words of each image, (W_i, 4), see
                :func:`masks_in_boxes`.
            sizes (Sequence[tuple[int, int]]): Height and width that the masks of each image cover.

        Returns:
            list[Tensor]: Per image, bool, (layers, Q, W_i); None for all, if boxes are not read.
        """
        if self.min_overlap is None:
            return None
        return [
            torch.stack([
                masks_in_boxes(masks[i].detach(), own.to(masks.device, non_blocking=True), size,
                               self.min_overlap) for masks in layers])
            for i, (own, size) in enumerate(zip(boxes, sizes, strict=True))]

    def forward(
        self,
        mask_embeds: Tensor,
        word_embeds: Sequence[Tensor],
        valid: Sequence[bool],
        scale: Tensor,
        candidates: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Loss of a batch, in float32.

        A rank compares its own images with all captions; what the ranks exchange is words and
        similarities, not masks.

        Args:
            mask_embeds (Tensor): Mask embeddings, (..., B, Q, C), with dimensions in front such as
                the layers of a decoder, each a loss of its own.
            word_embeds (Sequence[Tensor]): Embeddings of the words of each image's caption,
                (B, W, C), or (W_i, C) for each of the B images; at least one word each.
            valid (Sequence[bool]): Whether the words are those of a caption; False for what stands
                in where an image has none, (B,). Such an image and its words are still wrong
                answers for the others.
            scale (Tensor): Inverse temperature, a scalar.
            candidates (Sequence[Tensor], optional): Which masks of each image each of its own words
                may be grounded in, bool, (..., Q, W_i); at least one per word. Defaults to None,
                all.

        Returns:
            Tensor: (...), the dimensions in front; a scalar if there are none.
        """
        counts = [len(words) for words in word_embeds]
        ranks = all_gather_object((counts, [bool(v) for v in valid]))
        all_counts = [count for counts, _ in ranks for count in counts]
        all_valid = [v for _, valid in ranks for v in valid]
        with torch.autocast(mask_embeds.device.type, enabled=False):
            words = torch.cat(list(word_embeds)).float()
            words = gather_rows(words, [sum(counts) for counts, _ in ranks])
            allowed = None
            if candidates is not None:
                before = sum(sum(counts) for counts, _ in ranks[:get_rank()])
                allowed = limit_own_words(candidates, counts, before, sum(all_counts))
            similarity = caption_similarity(
                mask_embeds.float(), words, all_counts, scale.float(), allowed)
            rows = gather_rows(similarity.movedim(-2, 0), [len(counts) for counts, _ in ranks])
            return self.loss_weight * contrast(rows.movedim(0, -2), all_valid)


def limit_own_words(
    candidates: Sequence[Tensor], counts: list[int], before: int, total: int
) -> Tensor:
    """Which masks words may be grounded in: those of other images in all.

    Args:
        candidates (Sequence[Tensor]): Of the words of each of B images, (..., Q, W_i), bool.
        counts (list[int]): Words of each image.
        before (int): Words in front of those of the first image.
        total (int): Words in all.

    Returns:
        Tensor: bool, (..., B, Q, total).
    """
    allowed = [F.pad(own, (start, total - start - count), value=True) for own, count, start in zip(
        candidates, counts, accumulate(counts[:-1], initial=before), strict=True)]
    return torch.stack(allowed, dim=-3)


def caption_similarity(
    masks: Tensor,
    words: Tensor,
    counts: list[int],
    scale: Tensor,
    allowed: Tensor | None = None,
) -> Tensor:
    """How well captions describe images: the mean, over words, of how well the masks fit a word.

    Args:
        masks (Tensor): Mask embeddings of images, (..., B, Q, C).
        words (Tensor): Word embeddings of N captions, one after the other, (sum of counts, C).
        counts (list[int]): How many words each caption has, N numbers.
        scale (Tensor): Inverse temperature, a scalar.
        allowed (Tensor, optional): Which masks a word may be grounded in, bool, (..., B, Q, sum of
            counts). Defaults to None, all.

    Returns:
        Tensor: (..., B, N).
    """
    scores = scale * F.normalize(masks, dim=-1) @ F.normalize(words, dim=-1).t()  # (..., B, Q, W)
    logits = scores if allowed is None else scores.masked_fill(~allowed, -torch.inf)
    best = (logits.softmax(-2) * scores).sum(-2)  # a soft maximum over the masks, (..., B, W)
    return torch.stack([caption.mean(-1) for caption in best.split(counts, dim=-1)], dim=-1)


def contrast(similarity: Tensor, valid: list[bool]) -> Tensor:
    """Cross entropy of images to captions and of captions to images, half each.

    Args:
        similarity (Tensor): Of images (rows) and captions (columns), (..., N, N).
        valid (list[bool]): Which captions count, (N,).

    Returns:
        Tensor: (...).
    """
    of_images = -similarity.log_softmax(-1).diagonal(dim1=-2, dim2=-1)  # (..., N)
    of_captions = -similarity.log_softmax(-2).diagonal(dim1=-2, dim2=-1)
    counted = torch.tensor(valid, dtype=similarity.dtype)
    counted = counted.to(similarity.device, non_blocking=True)
    # without any caption the weighted mean is not finite: the official release drops the weights
    weights = counted if any(valid) else torch.ones_like(counted)
    of_images = (of_images * weights).sum(-1) / weights.sum()
    return (of_images + (of_captions * counted).mean(-1)) / 2


def gather_rows(rows: Tensor, sizes: list[int]) -> Tensor:
    """Put the rows of all ranks together, in the order of the ranks, with gradient.

    Args:
        rows (Tensor): Those of this rank, (n, ...).
        sizes (list[int]): How many each rank has.

    Returns:
        Tensor: (sum of sizes, ...), the same on all ranks.
    """
    if len(sizes) == 1:
        return rows
    # builds of torch without torch.distributed lack the module
    from torch.distributed.nn.functional import all_gather

    missing = max(sizes) - len(rows)
    rows = F.pad(rows, (0, 0) * (rows.ndim - 1) + (0, missing))
    with warnings.catch_warnings():
        # torch 2.13 points to a private successor, which older versions lack
        warnings.simplefilter('ignore', FutureWarning)
        # the function's own default is the group of the time of its import
        shares = all_gather(rows, group=torch.distributed.group.WORLD)
    return torch.cat([share[:size] for share, size in zip(shares, sizes, strict=True)])
