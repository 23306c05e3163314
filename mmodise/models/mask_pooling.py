"""Means of features under masks."""

import torch
from torch import Tensor


def pool_masks(masks: Tensor, features: Tensor) -> Tensor:
    """Mean of the features under each mask; 0 under an empty one.

    In float32 whatever the context: half precision counts to 65,504, and no mask may be larger.

    Args:
        masks (Tensor): bool, or the weight of each cell, (B, Q, h, w).
        features (Tensor): (B, C, h, w).

    Returns:
        Tensor: float32, or float64 for features in it, (B, Q, C).
    """
    dtype = torch.promote_types(features.dtype, torch.float32)
    with torch.autocast(features.device.type, enabled=False):
        masks, features = masks.to(dtype), features.to(dtype)
        pooled = torch.einsum('bqhw,bchw->bqc', masks, features)
        return pooled / (masks.sum((-2, -1))[..., None] + 1e-8)
