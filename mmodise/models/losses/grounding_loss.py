"""The loss of caption supervision: which caption belongs to which image."""

import warnings
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.dist import all_gather_object
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
    image as well as the mean over its words of sum over q of softmax_q(S_qk) S_qk. Where a word of
    the image's own caption has boxes, it is known which masks M_k the softmax should look at: those
    whose :func:`box_overlap` with one of them is at least ``min_overlap``. One more term is the
    mean over these words of

        -log(sum over q in M_k of softmax_q(S_qk))

    A word without a box, or whose boxes no mask is in, has no such term; if there is none, or
    ``box_weight`` is 0, it is the paper's loss. The choice of M_k is hard: gradients reach the
    embeddings of masks and words, and no masks, which boxes would teach to be boxes. (Boxes could
    also limit the softmax of the first sum to M_k; that teaches nothing of the masks outside, and
    on the embedded data set less was learned: see docs/training.md.)

    Args:
        loss_weight (float): Defaults to 1.0 (official release).
        box_weight (float): Weight of the term of boxes within the loss. Defaults to 0.0, boxes are
            not read (paper).
        min_overlap (float): In 0..1. Defaults to 0.5.

    Raises:
        ValueError: If ``box_weight`` is negative, or ``min_overlap`` not above 0 and at most 1.
    """

    def __init__(
        self, loss_weight: float = 1.0, box_weight: float = 0.0, min_overlap: float = 0.5
    ) -> None:
        super().__init__()
        if box_weight < 0:
            raise ValueError(f'GroundingLoss: box_weight={box_weight}, expected a number of at '
                             'least 0; 0, if boxes are not to be read.')
        if not 0 < min_overlap <= 1:
            raise ValueError(f'GroundingLoss: min_overlap={min_overlap}, expected a number above 0 '
                             'and at most 1.')
        self.loss_weight, self.box_weight = loss_weight, box_weight
        self.min_overlap = min_overlap

    def candidates(
        self,
        layers: Sequence[Tensor],
        boxes: Sequence[Tensor],
        sizes: Sequence[tuple[int, int]],
    ) -> list[Tensor] | None:
        """Which masks are what words name, by their boxes, for :meth:`forward`.

        Args:
            layers (Sequence[Tensor]): Mask logits of each layer, (B, Q, h, w).
            boxes (Sequence[Tensor]): Of the words of each image, (W_i, N_i, 4), see
                :func:`masks_in_boxes`.
            sizes (Sequence[tuple[int, int]]): Height and width that the masks of each image cover.

        Returns:
            list[Tensor]: Per image, bool, (layers, Q, W_i), all where nothing is known; None if
            boxes are not read.
        """
        if not self.box_weight:
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
            candidates (Sequence[Tensor], optional): Of :meth:`candidates`, bool, (..., Q, W_i) for
                each image, at least one mask per word. Defaults to None.

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
            masks = mask_embeds.float()
            similarity = caption_similarity(masks, words, all_counts, scale.float())
            sizes = [len(counts) for counts, _ in ranks]
            rows = gather_rows(similarity.movedim(-2, 0), sizes)
            loss = contrast(rows.movedim(0, -2), all_valid)
            if candidates is not None:
                terms = attention_outside(masks, word_embeds, candidates, scale.float())
                total, number = gather_rows(terms, sizes).sum(0)
                loss = loss + self.box_weight * total / number.clamp(min=1)
            return self.loss_weight * loss


def similarities(masks: Tensor, words: Tensor, scale: Tensor) -> Tensor:
    """Cosines of masks (..., Q, C) and words (W, C) times the inverse temperature, (..., Q, W)."""
    return scale * F.normalize(masks, dim=-1) @ F.normalize(words, dim=-1).t()


def attention_outside(
    masks: Tensor, words: Sequence[Tensor], candidates: Sequence[Tensor], scale: Tensor
) -> Tensor:
    """How little words look at the masks that they name: -log of that share of their softmax.

    Args:
        masks (Tensor): Mask embeddings of images, (..., B, Q, C).
        words (Sequence[Tensor]): Word embeddings of each image's own caption, (W_i, C).
        candidates (Sequence[Tensor]): Which masks each word names, bool, (..., Q, W_i); all where
            nothing is known.
        scale (Tensor): Inverse temperature, a scalar.

    Returns:
        Tensor: (B, 2, ...): the sum over words of which something is known, and their number.
    """
    terms = []
    for of_image, own, chosen in zip(masks.unbind(-3), words, candidates, strict=True):
        scores = similarities(of_image, own.float(), scale)  # (..., Q, W_i)
        inside = scores.masked_fill(~chosen, -torch.inf).logsumexp(-2)
        known = ~chosen.all(-2)
        missed = (scores.logsumexp(-2) - inside) * known
        terms.append(torch.stack([missed.sum(-1), known.sum(-1).to(missed)]))
    return torch.stack(terms)


def caption_similarity(masks: Tensor, words: Tensor, counts: list[int], scale: Tensor) -> Tensor:
    """How well captions describe images: the mean, over words, of how well the masks fit a word.

    Args:
        masks (Tensor): Mask embeddings of images, (..., B, Q, C).
        words (Tensor): Word embeddings of N captions, one after the other, (sum of counts, C).
        counts (list[int]): How many words each caption has, N numbers.
        scale (Tensor): Inverse temperature, a scalar.

    Returns:
        Tensor: (..., B, N).
    """
    scores = similarities(masks, words, scale)  # (..., B, Q, W)
    best = (scores.softmax(-2) * scores).sum(-2)  # a soft maximum over the masks, (..., B, W)
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
