"""Maps of the attention in the transformer blocks of diffusers' networks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from diffusers.models.attention import JointTransformerBlock
from torch import nn

from .attention import AttentionTap, JointAttentionTap
from .taps import PassOn

# kinds of maps in the order of the pass, and of which layer each is read
_KINDS = dict(self='attn1', features='attn1', cross='attn2')
_JOINT_KINDS = dict(self='attn', cross='attn', features='attn')


class AttentionMap(NamedTuple):
    """A map of a transformer block's attention.

    Attributes:
        number (int): Of the block.
        order (int): Among the maps of a block, in the order of the pass.
        kind (str): 'self' and 'cross' are probabilities, 'features' is what self-attention makes;
            in joint attention, what all of it makes of the image.
    """

    number: int
    order: int
    kind: str

    @property
    def name(self) -> str:
        """Such as 'self3'."""
        return f'{self.kind}{self.number}'


def find_attentions(blocks: Sequence[nn.Module], names: Sequence[str] | str) -> list[AttentionMap]:
    """Maps by their names.

    Args:
        blocks (Sequence[Module]): Transformer blocks, all of one kind: ``BasicTransformerBlock``
            or ``JointTransformerBlock``.
        names (Sequence[str] | str): Such as 'self3'; or 'all', which is all features.

    Returns:
        list[AttentionMap]: In the order of the pass, each once.

    Raises:
        ValueError: If there is no such map.
    """
    if names == 'all':
        names = [f'features{number}' for number in range(len(blocks))]
    kinds, found = list(_kinds_of(blocks)), set()
    for name in names:
        match = re.fullmatch(rf'({"|".join(kinds)})(\d+)', name)
        if match is None or int(match[2]) >= len(blocks):
            raise ValueError(f'there is no attention map {name!r}')
        found.add(AttentionMap(int(match[2]), kinds.index(match[1]), match[1]))
    return sorted(found)


def attentions_of(blocks: Sequence[nn.Module]) -> str:
    """All that :func:`find_attentions` knows, in words."""
    return ', '.join(f'{kind}0 to {kind}{len(blocks) - 1}' for kind in _kinds_of(blocks))


def tap_attention(block: nn.Module, kind: str, cells: int, text_length: int) -> int:
    """Put a tap into a transformer block.

    Args:
        block (Module): It is changed.
        kind (str): As in :class:`AttentionMap`.
        cells (int): Of the block's map.
        text_length (int): Tokens of the text.

    Returns:
        int: Channels of the map.
    """
    name = _kinds_of([block])[kind]
    layer = getattr(block, name)
    if not isinstance(layer, AttentionTap):
        layer = (JointAttentionTap if _is_joint(block) else AttentionTap)(layer)
        setattr(block, name, layer)
    if kind == 'features':
        layer.output = True
        return layer.width
    layer.keys[kind] = text_length if kind == 'cross' else cells
    return layer.keys[kind]


def drop_after_attention(block: nn.Module, order: int) -> None:
    """Take away what a transformer block computes after its last map.

    Args:
        block (Module): It is changed.
        order (int): Of the map, as in :class:`AttentionMap`.
    """
    kind, name = list(_kinds_of([block]).items())[order]
    layer = getattr(block, name)
    if kind != 'features':
        layer.drop_output()
    if _is_joint(block):
        block.norm2 = block.ff = block.norm2_context = block.ff_context = PassOn()
        block.attn2 = PassOn()  # over the image alone, of some blocks
        layer.drop_text()
        return
    block.norm3 = block.ff = PassOn()
    if name == 'attn1':
        block.attn2 = block.norm2 = None


def _is_joint(block: nn.Module) -> bool:
    return isinstance(block, JointTransformerBlock)


def _kinds_of(blocks: Sequence[nn.Module]) -> dict[str, str]:
    return _JOINT_KINDS if blocks and _is_joint(blocks[0]) else _KINDS
