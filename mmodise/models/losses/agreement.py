"""How far two predictions of one object are apart; 0 where they agree."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def mask_disagreement(masks: Tensor, others: Tensor) -> Tensor:
    """Dice distance of soft masks, with squares in the denominator (V-Net, arXiv 1606.04797).

    Unlike cross entropy it is 0 for equal masks, however uncertain they are.

    Args:
        masks (Tensor): Probabilities, (..., h, w).
        others (Tensor): Likewise.

    Returns:
        Tensor: In 0..1, (...): 1 - (2 sum(pq) + 1) / (sum(p^2) + sum(q^2) + 1).
    """
    overlap = (masks * others).sum((-2, -1))
    sizes = (masks.square() + others.square()).sum((-2, -1))
    return 1 - (2 * overlap + 1) / (sizes + 1)


def divergence(targets: Tensor, logits: Tensor) -> Tensor:
    """Kullback-Leibler divergence of distributions from their targets.

    Args:
        targets (Tensor): Logits of the targets, (..., K).
        logits (Tensor): Likewise.

    Returns:
        Tensor: In nats, (...).
    """
    return F.kl_div(
        logits.log_softmax(-1), targets.log_softmax(-1), reduction='none', log_target=True).sum(-1)


def symmetric_divergence(logits: Tensor, others: Tensor) -> Tensor:
    """Jensen-Shannon divergence: the mean of both from their mixture.

    Args:
        logits (Tensor): (..., K).
        others (Tensor): Likewise.

    Returns:
        Tensor: In 0..log 2, (...).
    """
    mixture = torch.logaddexp(logits.log_softmax(-1), others.log_softmax(-1)) - math.log(2)
    return (divergence(logits, mixture) + divergence(others, mixture)) / 2
