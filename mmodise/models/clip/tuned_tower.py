"""Weights of CLIP's image tower that are trained."""

from __future__ import annotations

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

#: Logarithm of the weight of soft masks in the attention of mask tokens, where nothing has been
#: trained: so small that what a mask shows is seen alike (MaskCLIP++).
START_OF_MASK_SCALE = -5.0


class TunedTower(nn.Module):
    """Copies of a vision transformer's weights that are trained, to classify masks (MaskCLIP++).

    They take the place of the frozen ones where :func:`embed_masks` is given them: projections of
    queries and values of all blocks and the position table. All other weights stay CLIP's own, and
    are shared with whoever else uses it.

    Args:
        visual (VisionTransformer): The frozen image tower that they start from.
        soft_blocks (int): How many blocks are given soft masks; in each, every head learns how much
            they weigh. 0 with masks that are not soft.
    """

    def __init__(self, visual: VisionTransformer, soft_blocks: int) -> None:
        super().__init__()
        attentions = [block.attn for block in visual.transformer.resblocks]
        queries, _, values = zip(*(a.in_proj_weight.chunk(3) for a in attentions), strict=True)
        self.queries = _trained(torch.stack(queries))  # (blocks, C, C)
        self.values = _trained(torch.stack(values))
        self.positions = _trained(visual.positional_embedding)  # (1 + P, C)
        self.mask_scale = None
        if soft_blocks:
            self.mask_scale = nn.Parameter(
                torch.full((soft_blocks, attentions[0].num_heads), START_OF_MASK_SCALE))

    def of_block(self, number: int) -> dict[str, Tensor]:
        """Projections of queries, 'q', and values, 'v', in a block."""
        return dict(q=self.queries[number], v=self.values[number])

    def scale_of(self, number: int) -> Tensor | None:
        """How much soft masks weigh in the n-th block that is given some, by head; (heads,)."""
        return None if self.mask_scale is None else self.mask_scale[number]

    def embed_patches(self, visual: VisionTransformer, images: Tensor) -> Tensor:
        """What goes into the first block, as the tower itself makes it: (B, 1 + P, C)."""
        patches = visual.conv1(images).flatten(2).transpose(1, 2)
        class_tokens = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        tokens = torch.cat([class_tokens, patches], dim=1)
        return visual.ln_pre(tokens + self.positions.to(tokens.dtype))


def _trained(weight: Tensor) -> nn.Parameter:
    return nn.Parameter(weight.detach().float().clone())
