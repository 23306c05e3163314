"""Taps before the residual blocks of a path of diffusers' networks, and what comes after them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from .taps import Skip, Tap


class TappedBlock(NamedTuple):
    """A residual block whose input is read.

    Attributes:
        number (int): Counted from 0 through all levels of its path.
        level (int): Its level of the path.
        index (int): Its number there.
        width (int): Channels of its input.
    """

    number: int
    level: int
    index: int
    width: int


def num_blocks(levels: nn.ModuleList) -> int:
    """Number of the residual blocks of a path."""
    return sum(len(level.resnets) for level in levels)


def tap_blocks(levels: nn.ModuleList, blocks: Sequence[int] | str) -> list[TappedBlock]:
    """Put taps before residual blocks.

    Args:
        levels (ModuleList): A path of a network.
        blocks (Sequence[int] | str): Its residual blocks, counted from 0 through all levels, or
            'all'.

    Returns:
        list[TappedBlock]: In the order of the path.

    Raises:
        ValueError: If there is no such block.
    """
    places = [(level, i) for level, part in enumerate(levels) for i in range(len(part.resnets))]
    found = []
    for block in range(len(places)) if blocks == 'all' else sorted(set(blocks)):
        if not 0 <= block < len(places):
            raise ValueError(
                f'there is no residual block {block}; the blocks are 0 to {len(places) - 1}')
        level, i = places[block]
        resnets = levels[level].resnets
        found.append(TappedBlock(block, level, i, resnets[i].in_channels))
        resnets[i] = Tap(resnets[i])
    return found


def shorten(stage: nn.Module, i: int) -> None:
    """Drop residual blocks and transformers of a stage after the i-th, and what resizes maps.

    Args:
        stage (Module): A block of diffusers of a down or an up path, or the middle.
        i (int): The last that is kept.
    """
    stage.resnets = stage.resnets[: i + 1]
    if getattr(stage, 'attentions', None) is not None:
        stage.attentions = stage.attentions[: i + 1]
    for name in ('upsamplers', 'downsamplers'):
        if hasattr(stage, name):
            setattr(stage, name, None)


def drop_after_block(stage: nn.Module, i: int) -> None:
    """Take away what a stage of an up path computes after the input of a residual block.

    Args:
        stage (Module): A block of diffusers of an up path.
        i (int): Number of the residual block in it, which has a tap.
    """
    shorten(stage, i)
    stage.resnets[i].block = None
    if getattr(stage, 'attentions', None) is not None:
        stage.attentions[i] = Skip()


def drop_end(network: nn.Module) -> None:
    """Take away what a network computes after its last level."""
    network.conv_norm_out = network.conv_act = network.conv_out = nn.Identity()
