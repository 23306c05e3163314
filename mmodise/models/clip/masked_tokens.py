"""Class tokens that see only a mask of the image, added to a frozen vision transformer."""

from __future__ import annotations

import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn


def check_mask_tokens(visual: nn.Module) -> None:
    """Refuse an image tower that mask tokens cannot be added to.

    Raises:
        ValueError: If it is no vision transformer of open_clip's with plain attention.
    """
    blocks = getattr(getattr(visual, 'transformer', None), 'resblocks', ())
    plain = isinstance(visual, VisionTransformer) and blocks and all(
        type(block) is ResidualAttentionBlock for block in blocks)
    if not plain:
        raise ValueError(
            f"mask tokens need a CLIP whose image tower is a vision transformer (open_clip's "
            f'VisionTransformer, such as ViT-L-14-336-quickgelu); this one is a '
            f'{type(visual).__name__}. Choose a ViT, or another classifier.')


def embed_masks(visual: VisionTransformer, images: Tensor, visible: Tensor) -> Tensor:
    """Embed each mask of an image with a copy of the class token that sees only the mask.

    The image's own tokens never see a mask token, so they are computed without them; the mask
    tokens are a masked attention over the same keys and values, and do not see each other
    (MaskCLIP; official release).

    Args:
        visual (VisionTransformer): The image tower.
        images (Tensor): Normalised, of the tower's size and precision, (B, 3, H, W).
        visible (Tensor): Which patches a mask sees, bool, (B, Q, H / patch, W / patch). The class
            token is always seen.

    Returns:
        Tensor: (B, Q, D), not normalised.
    """
    tokens = visual._embeds(images)  # (B, 1 + P, C)
    visible = F.pad(visible.flatten(2), (1, 0), value=True)[:, None]  # (B, 1, Q, 1 + P)
    masks = tokens[:, :1].expand(-1, visible.shape[2], -1)  # (B, Q, C)
    blocks = visual.transformer.resblocks
    for number, block in enumerate(blocks, start=1):
        normed = block.ln_1(tokens)
        keys, values = _project(block.attn, normed, 'k'), _project(block.attn, normed, 'v')
        masks = _finish(block, masks, _attend(
            block.attn, _project(block.attn, block.ln_1(masks), 'q'), keys, values, visible))
        if number < len(blocks):  # nothing reads the image's tokens after the last keys
            queries = _project(block.attn, normed, 'q')
            tokens = _finish(block, tokens, _attend(block.attn, queries, keys, values))
    return visual.ln_post(masks) @ visual.proj


def _project(attention: nn.MultiheadAttention, tokens: Tensor, which: str) -> Tensor:
    """Queries, keys or values by head, (B, heads, N, C / heads)."""
    rows = slice('qkv'.index(which) * attention.embed_dim, None)
    weight = attention.in_proj_weight[rows][: attention.embed_dim]
    bias = attention.in_proj_bias[rows][: attention.embed_dim]
    return F.linear(tokens, weight, bias).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)


def _attend(
    attention: nn.MultiheadAttention, queries: Tensor, keys: Tensor, values: Tensor,
    visible: Tensor | None = None,
) -> Tensor:
    """Attention of all heads together, (B, N, C)."""
    seen = F.scaled_dot_product_attention(queries, keys, values, attn_mask=visible)
    return attention.out_proj(seen.transpose(1, 2).flatten(2))


def _finish(block: ResidualAttentionBlock, tokens: Tensor, seen: Tensor) -> Tensor:
    """What a block does after its attention."""
    tokens = tokens + block.ls_1(seen)
    return tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
