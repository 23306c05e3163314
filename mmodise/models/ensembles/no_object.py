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


def trust_classifier(
    no_object: Tensor, logits: Tensor, valid: Tensor | None, trust: float
) -> Tensor:
    """Lower the probability of "no object" where a classifier is sure of a class (OVRCOAT's COAT).

    v becomes v (1 - trust m), m the classifier's largest probability of a class. It falls by the
    share ``trust`` at most; with a vocabulary of one class by this share for every mask.

    Args:
        no_object (Tensor): v, (Q, 1).
        logits (Tensor): Of the classifier, (Q, K).
        valid (Tensor, optional): bool, (Q,). Where False, the classifier could not look at the
            mask, and v stays.
        trust (float): 0 to 1.
    """
    if not trust:
        return no_object
    surest = F.softmax(logits.float(), dim=-1).amax(dim=-1, keepdim=True)
    if valid is not None:
        surest = surest.masked_fill(~valid[:, None], 0)
    return no_object * (1 - trust * surest)


def score_objects(
    logits: Tensor, objectness: Tensor | None, valid: Tensor | None = None, trust: float = 0.0
) -> Tensor:
    """Class logits of masks that only a classifier names.

    Args:
        logits (Tensor): Of the classifier, (Q, K).
        objectness (Tensor, optional): Probability that a mask is an object, (Q,); None if all are.
        valid (Tensor, optional): As in :func:`trust_classifier`.
        trust (float): Likewise. Defaults to 0.

    Returns:
        Tensor: (Q, K + 1), "no object" last.
    """
    logits = logits.float()
    no_object = logits.new_zeros(len(logits), 1)
    if objectness is not None:
        no_object = trust_classifier(1 - objectness[:, None].float(), logits, valid, trust)
    return append_no_object(F.softmax(logits, dim=-1), no_object)
