"""The loss of caption supervision: which caption belongs to which image."""

import warnings
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.dist import all_gather_object
from torch import Tensor, nn


@MODELS.register_module()
class GroundingLoss(nn.Module):
    """Contrasts images with captions, by the masks of the ones and the words of the others.

    Image caption supervision of the paper, in the official release's form. The images of all ranks
    are contrasted with the captions of all ranks, which may have different numbers of images.

    Every rank returns the loss of the whole batch, and a gradient flows back to the rank that it
    belongs to, once from each rank. The mean over ranks that DDP and FSDP take of the gradients
    makes that the gradient of the whole batch's loss, for all trained parameters.

    Args:
        loss_weight (float): Defaults to 1.0 (official release).
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self,
        mask_embeds: Tensor,
        word_embeds: Sequence[Tensor],
        valid: Sequence[bool],
        scale: Tensor,
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
            similarity = caption_similarity(mask_embeds.float(), words, all_counts, scale.float())
            rows = gather_rows(similarity.movedim(-2, 0), [len(counts) for counts, _ in ranks])
            return self.loss_weight * contrast(rows.movedim(0, -2), all_valid)


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
    scores = scale * F.normalize(masks, dim=-1) @ F.normalize(words, dim=-1).t()  # (..., B, Q, W)
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
