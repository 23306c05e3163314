"""Scores of classes that have several names."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def class_scores(
    embeddings: Tensor, names: Tensor, class_indices: Sequence[int], scale: Tensor
) -> Tensor:
    """Score of a class: the largest, over its names, of scale x cosine (official release).

    Args:
        embeddings (Tensor): What is to be classified, (..., C).
        names (Tensor): Embeddings of the names of all classes, (N, C).
        class_indices (Sequence[int]): The class of each name, 0 to K - 1, N numbers. Every class
            has at least one name.
        scale (Tensor): Inverse temperature, a scalar.

    Returns:
        Tensor: (..., K).
    """
    cosine = F.normalize(embeddings, dim=-1) @ F.normalize(names, dim=-1).t()
    num_classes = max(class_indices) + 1
    if num_classes == len(class_indices):  # one name a class: nothing to reduce
        return scale * cosine
    best = cosine.new_full((*cosine.shape[:-1], num_classes), -torch.inf)
    indices = torch.tensor(class_indices).to(names.device, non_blocking=True)
    best = best.scatter_reduce(-1, indices.expand(cosine.shape), cosine, 'amax')
    return scale * best
