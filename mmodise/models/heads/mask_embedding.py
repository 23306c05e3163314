"""An embedding per mask, to be compared with text."""

import math

import torch
from torch import Tensor, nn

from ..mask_pooling import pool_masks


class MaskEmbedding(nn.Module):
    """Pools the mask features under each mask and embeds the result (paper, 3.3; official release).

    One such module is shared by all layers of the decoder.

    Args:
        channels (int): Channels C of queries and mask features.
        embed_dim (int, optional): Channels D of embeddings. Defaults to C.
        with_norm (bool): Whether a layer norm comes before the layers that embed. Defaults to True.
    """

    def __init__(
        self, channels: int, embed_dim: int | None = None, with_norm: bool = True
    ) -> None:
        super().__init__()
        self.pool_proj = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, channels))
        self.embed = nn.Sequential(
            *([nn.LayerNorm(channels)] if with_norm else []),
            nn.Linear(channels, channels), nn.ReLU(inplace=True),
            nn.Linear(channels, channels), nn.ReLU(inplace=True),
            nn.Linear(channels, embed_dim or channels),
        )
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    @property
    def scale(self) -> Tensor:
        """Inverse temperature of the cosine between an embedding and a text, at most 100."""
        return self.log_scale.exp().clamp(max=100)

    def forward(self, queries: Tensor, mask_logits: Tensor, mask_features: Tensor) -> Tensor:
        """Embed masks.

        Args:
            queries (Tensor): Decoder outputs after the final norm, (B, Q, C).
            mask_logits (Tensor): (B, Q, h, w).
            mask_features (Tensor): (B, C, h, w).

        Returns:
            Tensor: (B, Q, D), not normalised. An empty mask pools to zero.
        """
        pooled = pool_masks(mask_logits.detach().sigmoid() > 0.5, mask_features)
        return self.embed(self.pool_proj(pooled.to(queries.dtype)) + queries)
