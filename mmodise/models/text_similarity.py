"""Scores of classes that have several names."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def class_scores(
    embeddings: Tensor, names: Tensor, class_indices: Sequence[int], scale: Tensor
) -> Tensor:
    """Score of a class: the largest, over its names, of scale x cosine (official release).

    Computed in float32, under autocast as well: a scale of up to 100 multiplies what is rounded.

    Args:
        embeddings (Tensor): What is to be classified, (..., C).
        names (Tensor): Embeddings of the names of all classes, (N, C).
        class_indices (Sequence[int]): The class of each name, 0 to K - 1, N numbers. Every class
            has at least one name.
        scale (Tensor): Inverse temperature, a scalar.

    Returns:
        Tensor: float32, (..., K).
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        embeddings, names = (F.normalize(e.float(), dim=-1) for e in (embeddings, names))
        best = best_of_classes(embeddings @ names.t(), class_indices)
        return scale.float() * best


def best_of_classes(cosine: Tensor, class_indices: Sequence[int]) -> Tensor:
    """The largest score of each class, over its names.

    Args:
        cosine (Tensor): Scores of the names of all classes, (..., N).
        class_indices (Sequence[int]): As in :func:`class_scores`.

    Returns:
        Tensor: (..., K).
    """
    num_classes = max(class_indices) + 1
    if num_classes == len(class_indices):  # one name per class: nothing to reduce
        return cosine
    best = cosine.new_full((*cosine.shape[:-1], num_classes), -torch.inf)
    indices = torch.tensor(class_indices, device='cpu').to(cosine.device, non_blocking=True)
    return best.scatter_reduce(-1, indices.expand(cosine.shape), cosine, 'amax')
