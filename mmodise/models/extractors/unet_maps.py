"""The maps of a UNet that are read: taps, and what comes after the last of them taken away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from torch import nn

from .feature_extractor import FeatureMap
from .residual_blocks import drop_after_block, drop_end, num_blocks, shorten, tap_blocks
from .taps import PassOn
from .token_merging import MergedAttention, check_ratio
from .transformer_blocks import (
    attentions_of,
    drop_after_attention,
    find_attentions,
    tap_attention,
)


class Place(NamedTuple):
    """Where a map is read.

    Attributes:
        at (tuple[int, ...]): Sorts places in the order of the pass: the stage (a block of the down
            path, the middle, a block of the up path); twice the number of its residual block, plus
            1 for the transformer after it; the transformer's block; the kind of map.
        feature_map (FeatureMap): The map, its stride against the UNet's input.
    """

    at: tuple[int, ...]
    feature_map: FeatureMap


def tap_unet(
    unet: UNet2DConditionModel, blocks: Sequence[int] | str, attentions: Sequence[str] | str,
    text_length: int,
) -> list[FeatureMap]:
    """Put taps into a UNet, and drop what comes after the last one.

    Args:
        unet (UNet2DConditionModel): It is changed.
        blocks (Sequence[int] | str): Residual blocks of its up path, counted from 0 through all
            levels, whose inputs are read; or 'all'.
        attentions (Sequence[str] | str): Kind and number, such as 'self3': 'self' and 'cross' are
            the probabilities of a layer's attention, 'features' the output of its self-attention;
            counted from 0 through all transformer blocks, down path, middle and up path; or 'all'
            features.
        text_length (int): Tokens of the text.

    Returns:
        list[FeatureMap]: In the order of the pass; strides against the UNet's input.

    Raises:
        ValueError: If there is no such map.
    """
    places = sorted([*_tap_up_path(unet, blocks), *_tap_attentions(unet, attentions, text_length)])
    _drop_after(unet, places[-1].at)
    return [place.feature_map for place in places]


def maps_of_unet(unet: UNet2DConditionModel) -> dict[str, str]:
    """All that :func:`tap_unet` can read, in words, by the arguments of an extractor."""
    return dict(
        unet_blocks=f'0 to {num_blocks(unet.up_blocks) - 1}',
        attentions=attentions_of([block for _, block in _transformer_blocks(unet)]))


def merge_tokens_of(unet: UNet2DConditionModel, ratio: float, levels: int) -> None:
    """Merge tokens in the self-attention of a UNet's largest maps, see :class:`MergedAttention`.

    Args:
        unet (UNet2DConditionModel): It is changed; before :func:`tap_unet`.
        ratio (float): Share of tokens that is merged, 0 to 0.75.
        levels (int): How many of the levels that have attention, from the largest map on.

    Raises:
        ValueError: If the ratio or the number of levels is none.
    """
    check_ratio(ratio)
    blocks = [(_stride(unet, at[0]), block.attn1) for at, block in _transformer_blocks(unet)
              if not block.only_cross_attention]
    strides = sorted({stride for stride, _ in blocks})
    if not 1 <= levels <= len(strides):
        raise ValueError(
            f'merge_levels={levels}; {len(strides)} levels of the UNet have self-attention')
    for stride, attention in blocks:
        if stride in strides[:levels]:
            attention.set_processor(MergedAttention(attention.processor, ratio))


def _tap_up_path(unet: UNet2DConditionModel, blocks: Sequence[int] | str) -> list[Place]:
    first, deepest = len(unet.down_blocks) + 1, len(unet.up_blocks) - 1
    return [
        Place((first + block.level, 2 * block.index), FeatureMap(
            f'unet{block.number}', block.width, 2 ** (deepest - block.level),
            ('unet_blocks', block.number)))
        for block in tap_blocks(unet.up_blocks, blocks)]


def _tap_attentions(
    unet: UNet2DConditionModel, names: Sequence[str] | str, text_length: int
) -> list[Place]:
    transformers, places = _transformer_blocks(unet), []
    for found in find_attentions([block for _, block in transformers], names):
        at, block = transformers[found.number]
        stride = _stride(unet, at[0])
        cells = (unet.config.sample_size // stride) ** 2
        channels = tap_attention(block, found.kind, cells, text_length)
        places.append(Place(
            (*at, found.order),
            FeatureMap(found.name, channels, stride, ('attentions', found.name))))
    return places


def _stages(unet: UNet2DConditionModel) -> list[nn.Module]:
    return [*unet.down_blocks, unet.mid_block, *unet.up_blocks]


def _stride(unet: UNet2DConditionModel, stage: int) -> int:
    """Of a stage, against the UNet's input."""
    levels = len(unet.down_blocks)
    return 2 ** (min(stage, levels - 1) if stage <= levels else 2 * levels - stage)


def _transformer_blocks(
    unet: UNet2DConditionModel
) -> list[tuple[tuple[int, int, int], BasicTransformerBlock]]:
    """All of them, in the order of the pass, with where they are, see :class:`Place`."""
    return [
        ((stage, 2 * i + 1, j), block)
        for stage, part in enumerate(_stages(unet))
        for i, transformer in enumerate(getattr(part, 'attentions', None) or ())
        for j, block in enumerate(getattr(transformer, 'transformer_blocks', ()))]


def _drop_after(unet: UNet2DConditionModel, at: tuple[int, ...]) -> None:
    """Take away what a UNet computes after a place."""
    levels, (stage, (i, is_transformer)) = len(unet.down_blocks), (at[0], divmod(at[1], 2))
    last = _stages(unet)[stage]
    if not is_transformer:
        drop_after_block(last, i)
    else:
        shorten(last, i)
        if stage == levels:  # in the middle a residual block comes after each transformer
            last.resnets.append(PassOn())
        _drop_in_transformer(last.attentions[i], *at[2:])
    if stage < levels:
        unet.down_blocks, unet.mid_block = unet.down_blocks[: stage + 1], None
    unet.up_blocks = unet.up_blocks[: max(0, stage - levels)]
    drop_end(unet)


def _drop_in_transformer(transformer: nn.Module, j: int, order: int) -> None:
    """Take away what a transformer computes after a map of its j-th block."""
    transformer.transformer_blocks = transformer.transformer_blocks[: j + 1]
    transformer.proj_out = nn.Identity()
    drop_after_attention(transformer.transformer_blocks[j], order)
