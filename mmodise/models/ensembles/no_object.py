"""Class logits with "no object" as the last."""

import torch
import torch.nn.functional as F
from torch import Tensor


def append_no_object(classes: Tensor, no_object: Tensor) -> Tensor:
    """Join the probabilities of classes, given an object, and of "no object".

    Args:
        classes (Tensor): Probabilities of K classes, which sum to 1, (..., K).
        no_object (Tensor): Probability of "no object", (..., 1).

    Returns:
        Tensor: Logits (..., K + 1), the logarithm of probability + 1e-8 (official release).
    """
    return torch.log(torch.cat([classes * (1 - no_object), no_object], dim=-1) + 1e-8)


def score_objects(logits: Tensor, objectness: Tensor | None) -> Tensor:
    """Class logits of masks that only a classifier names.

    Args:
        logits (Tensor): Of the classifier, (Q, K).
        objectness (Tensor, optional): Probability that a mask is an object, (Q,); None if all are.

    Returns:
        Tensor: (Q, K + 1), "no object" last.
    """
    logits = logits.float()
    no_object = logits.new_zeros(len(logits), 1)
    if objectness is not None:
        no_object = 1 - objectness[:, None].float()
    return append_no_object(F.softmax(logits, dim=-1), no_object)
