"""Class tokens that see only a mask of the image, added to a frozen vision transformer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn

from .tuned_tower import START_OF_MASK_SCALE, TunedTower

_HIDDEN = -100.0  # not -inf: a mask that shows nothing must not give nan (MaskCLIP++)


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


def embed_masks(
    visual: VisionTransformer, images: Tensor, masks: Tensor, last_blocks: int | None = None,
    tuned: TunedTower | None = None,
) -> Tensor:
    """Embed each mask of an image with a copy of the class token that sees only the mask.

    The image's own tokens never see a mask token, so they are computed without them; the mask
    tokens are a masked attention over the same keys and values, and do not see each other
    (MaskCLIP; official release).

    Args:
        visual (VisionTransformer): The image tower.
        images (Tensor): Normalised, of the tower's size and precision, (B, 3, H, W).
        masks (Tensor): (B, Q, H / patch, W / patch). Which patches a mask sees, bool; or how much
            of them, floats from 0 to 1: see :func:`visibility`.
        last_blocks (int, optional): Blocks that mask tokens run through, counted from the end;
            before these they are the class token. Defaults to None, all.
        tuned (TunedTower, optional): Weights in place of the tower's. Defaults to None.

    Returns:
        Tensor: (B, Q, D), not normalised.
    """
    tokens = visual._embeds(images) if tuned is None else tuned.embed_patches(visual, images)
    blocks = visual.transformer.resblocks
    first = len(blocks) - (last_blocks or len(blocks))
    for number, block in enumerate(blocks):
        own = {} if tuned is None else tuned.of_block(number)
        normed = block.ln_1(tokens)  # tokens: (B, 1 + P, C)
        keys, values = (_project(block.attn, normed, part, own) for part in 'kv')
        if number == first:
            mask_tokens = tokens[:, :1].expand(-1, masks.shape[1], -1)  # (B, Q, C)
        if number >= first:
            scale = None if tuned is None else tuned.scale_of(number - first)
            mask_tokens = _step(
                block, own, mask_tokens, block.ln_1(mask_tokens), keys, values,
                visibility(masks, scale, tokens.dtype))
        if number + 1 < len(blocks):  # nothing reads the image's tokens after the last keys
            tokens = _step(block, own, tokens, normed, keys, values)
    return visual.ln_post(mask_tokens) @ visual.proj


def visibility(masks: Tensor, scale: Tensor | None, dtype: torch.dtype) -> Tensor:
    """What the attention of mask tokens is given, for the class token and the patches.

    Masks that are bool see the class token and their own patches (official release). Soft ones do
    not see the class token; they see patches where the mask has more than half of its maximum, with
    the mask times exp(``scale``) added to the attention's logits (MaskCLIP++).

    Args:
        masks (Tensor): (B, Q, h, w), bool, or floats from 0 to 1.
        scale (Tensor, optional): By head, (heads,). Defaults to its start in training.
        dtype (torch.dtype): Of the attention.

    Returns:
        Tensor: (B, 1 or heads, Q, 1 + h w), bool, or what is added to the attention's logits.
    """
    masks = masks.flatten(2)[:, None]
    if masks.dtype == torch.bool:
        return F.pad(masks, (1, 0), value=True)
    if scale is None:
        scale = masks.new_full((1, ), START_OF_MASK_SCALE)
    is_seen = masks > masks.amax(dim=-1, keepdim=True) / 2
    added = torch.where(is_seen, masks * scale.exp()[:, None, None], _HIDDEN)
    return F.pad(added, (1, 0), value=-torch.inf).to(dtype)


def _project(
    attention: nn.MultiheadAttention, tokens: Tensor, part: str, own: Mapping[str, Tensor]
) -> Tensor:
    """Queries, keys or values ('q', 'k', 'v') by head, (B, heads, N, C / heads)."""
    rows = slice('qkv'.index(part) * attention.embed_dim, None)
    weight = attention.in_proj_weight[rows][: attention.embed_dim]
    bias = attention.in_proj_bias[rows][: attention.embed_dim]
    if part in own:
        weight = own[part].to(weight.dtype)
    return F.linear(tokens, weight, bias).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)


def _step(
    block: ResidualAttentionBlock, own: Mapping[str, Tensor], tokens: Tensor, normed: Tensor,
    keys: Tensor, values: Tensor, visible: Tensor | None = None,
) -> Tensor:
    """A block, for tokens (B, N, C) that look at other tokens' keys and values."""
    queries = _project(block.attn, normed, 'q', own)
    seen = F.scaled_dot_product_attention(queries, keys, values, attn_mask=visible)
    tokens = tokens + block.ls_1(block.attn.out_proj(seen.transpose(1, 2).flatten(2)))
    return tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
