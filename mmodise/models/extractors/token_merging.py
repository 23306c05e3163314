"""Fewer tokens in the self-attention of diffusers' networks: those that are alike are merged."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention
from torch import Tensor

_WINDOW = 2
#: Of the tokens of a window all but one, the destination of the others, can be merged.
MOST = 1 - 1 / _WINDOW**2


def check_ratio(ratio: float) -> None:
    """Refuse a share of tokens that cannot be merged.

    Raises:
        ValueError: If it is not between 0 and :data:`MOST`.
    """
    if not 0 <= ratio <= MOST:
        raise ValueError(
            f'merge_tokens={ratio}; give the share of tokens that is merged, 0 to {MOST}')


class Merging(NamedTuple):
    """Which tokens of a map become one; made by :func:`match_tokens`.

    Attributes:
        group (Tensor): The merged token that each token is part of, (B, N), int64.
        sizes (Tensor): How many tokens each merged one stands for, (B, M).
    """

    group: Tensor
    sizes: Tensor

    def merge(self, tokens: Tensor) -> Tensor:
        """Means of tokens (B, N, C), as (B, M, C)."""
        places = self.group[..., None].expand_as(tokens)
        shape = len(tokens), self.sizes.shape[1], tokens.shape[2]
        sums = tokens.new_zeros(shape).scatter_add(1, places, tokens)
        return sums / self.sizes[..., None].to(tokens.dtype)

    def unmerge(self, merged: Tensor) -> Tensor:
        """For each token what its merged one (B, M, C) has become, (B, N, C)."""
        return merged.gather(1, self.group[..., None].expand(-1, -1, merged.shape[2]))


@torch.no_grad()
def match_tokens(tokens: Tensor, ratio: float) -> Merging:
    """Bipartite soft matching of the tokens of a square map (Token Merging, Bolya et al.).

    In each window of 2 x 2 one token, drawn at random but always the same, is a destination. Each
    of the others finds the destination that it is most like, by the cosine; and those that are most
    like theirs are merged into it.

    Args:
        tokens (Tensor): Row by row, (B, s x s, C).
        ratio (float): Share of tokens that is merged, of all; 0 to 0.75.

    Returns:
        Merging: M = s x s - floor(ratio x s x s), or more where a side is odd.
    """
    batch, number, _ = tokens.shape
    destinations, others = _split(math.isqrt(number), tokens.device)
    normed = F.normalize(tokens.float(), dim=-1)
    likeness, nearest = (
        normed[:, others] @ normed[:, destinations].transpose(1, 2)).max(dim=-1)  # (B, others)
    merged = min(int(ratio * number), len(others))
    order = likeness.argsort(dim=-1, descending=True, stable=True)
    group = torch.empty(batch, number, dtype=torch.long, device=tokens.device)
    group[:, destinations] = torch.arange(len(destinations), device=tokens.device)
    ours = nearest.new_empty(nearest.shape)
    ours.scatter_(1, order[:, :merged], nearest.gather(1, order[:, :merged]))
    alone = torch.arange(len(destinations), number - merged, device=tokens.device)
    ours.scatter_(1, order[:, merged:], alone.expand(batch, -1))
    group[:, others] = ours
    sizes = torch.zeros(batch, number - merged, device=tokens.device)
    return Merging(group, sizes.scatter_add_(1, group, torch.ones_like(group, dtype=sizes.dtype)))


def _split(side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Numbers of the destinations, one in each window of a map, and those of all other tokens."""
    windows = side // _WINDOW  # a last odd row or column has no destinations
    generator = torch.Generator('cpu').manual_seed(0)
    draw = torch.randint(
        _WINDOW**2, (windows, windows), generator=generator, device='cpu').to(device)
    corners = torch.arange(windows, device=device) * _WINDOW
    rows, columns = corners[:, None] + draw // _WINDOW, corners + draw % _WINDOW
    is_destination = torch.zeros(side**2, dtype=torch.bool, device=device)
    is_destination[(rows * side + columns).flatten()] = True
    return is_destination.nonzero()[:, 0], (~is_destination).nonzero()[:, 0]


class MergedAttention:
    """A processor of diffusers' self-attention that merges tokens before, and unmerges after it.

    A merged token counts as often as it stands for (proportional attention): where all that are
    merged are equal, nothing changes. Gradients go through tokens, and not through what is chosen.

    Args:
        processor (Callable): The processor that runs on the merged tokens.
        ratio (float): As for :func:`match_tokens`.
    """

    def __init__(self, processor: Any, ratio: float) -> None:
        self.processor, self.ratio = processor, ratio

    def __call__(
        self, attn: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None, temb: Tensor | None = None,
    ) -> Tensor:
        """As the processor, (B, N, C)."""
        merging = match_tokens(hidden_states, self.ratio)
        weights = merging.sizes.log().to(hidden_states.dtype)[:, None]  # (B, 1, M)
        merged = self.processor(
            attn, merging.merge(hidden_states), attention_mask=weights, temb=temb)
        return merging.unmerge(merged)
