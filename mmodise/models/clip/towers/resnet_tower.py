"""ResNet image towers, those of OpenAI."""

from __future__ import annotations

import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor, nn

from .dense_tower import DenseTower


class ResNetTower(DenseTower):
    """A ResNet of OpenAI's, whose head is an attention over all cells."""

    visual: ModifiedResNet

    @staticmethod
    def accepts(visual: nn.Module) -> bool:
        """Whether it is such a ResNet."""
        return isinstance(visual, ModifiedResNet)

    @property
    def stage_widths(self) -> tuple[int, int, int, int]:
        """Channels of the maps."""
        return tuple(layer[-1].conv3.out_channels for layer in self._layers())

    def encode_maps(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Outputs of the four layers, see :meth:`DenseTower.encode_maps`."""
        x, maps = self.visual.stem(images), []
        for layer in self._layers():
            x = layer(x)
            maps.append(x)
        return tuple(maps)

    def embed_cells(self, dense: Tensor, cells: Tensor) -> Tensor:
        """CLIP's attention pool with a query per mask, which sees the cells of the mask only.

        The query is the mean of the whole map, which is not among the keys here. A weight between 0
        and 1 multiplies what a cell counts in the attention. Without cells the result is the bias
        of the last projection.
        """
        pool = self.visual.attnpool
        keys, query = self._tokens(dense.to(pool.q_proj.weight.dtype))
        values = pool.v_proj(keys)
        query, keys, values = (
            x.unflatten(-1, (pool.num_heads, -1)).transpose(1, 2)
            for x in (pool.q_proj(query), pool.k_proj(keys), values))  # (B, heads, N, C / heads)
        weights = cells.flatten(2).to(query.dtype)[:, None]  # (B, 1, Q, h x w)
        is_empty = (weights <= 0).all(dim=-1, keepdim=True)
        seen = F.scaled_dot_product_attention(
            query.expand(-1, -1, weights.shape[2], -1), keys, values,
            attn_mask=weights.log().masked_fill(is_empty, 0))
        seen = seen.masked_fill(is_empty, 0).transpose(1, 2).flatten(2)
        return pool.c_proj(seen)

    def _tokens(self, dense: Tensor) -> tuple[Tensor, Tensor]:
        """Cells (B, h x w, C) and their mean (B, 1, C), each with its position."""
        mean_position, positions = self.visual.attnpool.positional_embedding.to(
            dense.dtype).split([1, self.visual.attnpool.positional_embedding.shape[0] - 1])
        side = round(len(positions)**0.5)
        positions = positions.t().unflatten(-1, (side, side))[None]
        positions = F.interpolate(
            positions, dense.shape[-2:], mode='bilinear', align_corners=False)
        cells = (dense + positions).flatten(2).transpose(1, 2)
        return cells, dense.flatten(2).mean(dim=-1)[:, None] + mean_position

    def _layers(self) -> tuple[nn.Sequential, ...]:
        visual = self.visual
        return visual.layer1, visual.layer2, visual.layer3, visual.layer4
