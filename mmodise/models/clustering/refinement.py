"""Masks that follow the colours of the picture."""

import torch
import torch.nn.functional as F
from torch import Tensor

_STEPS = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0))


def refine_by_colors(
    masks: Tensor, image: Tensor, iterations: int = 10, dilations: tuple[int, ...] = (1, 2, 4),
    sigma: float = 0.05,
) -> Tensor:
    """Replace each pixel's masks by means over pixels around it, those of like colours above all.

    Pixel-adaptive mask refinement (PAMR; Araslanov and Roth, CVPR 2020), whose weights are the
    softmax over the pixels around of -|difference of colours| / sigma.

    Args:
        masks (Tensor): Shares of masks in each pixel, (Q, H, W).
        image (Tensor): RGB in [0, 1], (3, H, W).
        iterations (int): Defaults to 10 (PAMR).
        dilations (tuple[int, ...]): Distances to the eight pixels around. Defaults to (1, 2, 4).
        sigma (float): Difference of colours that counts. Defaults to 0.05.

    Returns:
        Tensor: (Q, H, W), the sums over masks as before.
    """
    steps = [(y * d, x * d) for d in dilations for y, x in _STEPS]
    differences = [(moved - image).abs().mean(0) for moved in _moved(image, steps)]
    weights = (-torch.stack(differences) / sigma).softmax(0)
    for _ in range(iterations):
        masks = sum(w * moved for w, moved in zip(weights, _moved(masks, steps), strict=True))
    return masks


def _moved(maps: Tensor, steps: list[tuple[int, int]]) -> list[Tensor]:
    """Views of (C, H, W) at each pixel's neighbours; at the border, of the pixels there."""
    height, width = maps.shape[-2:]
    pad = max(max(step) for step in steps)
    padded = F.pad(maps[None], (pad, ) * 4, mode='replicate')[0]
    return [padded[:, pad + y:pad + y + height, pad + x:pad + x + width] for y, x in steps]
