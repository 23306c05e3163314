"""What attention layers of diffusers' networks look at, and what they make of it."""

from __future__ import annotations

import math
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from .taps import note


def attention_probabilities(
    attention: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None,
    attention_mask: Tensor | None = None,
) -> Tensor:
    """Softmax of queries times keys, averaged over the heads, one head after another.

    Args:
        attention (Attention): A layer of diffusers: self-attention, cross-attention, or the joint
            attention of image and text, of which only the image's queries are taken.
        hidden_states (Tensor): What it is given, (B, N, C).
        encoder_hidden_states (Tensor, optional): What the keys are made of, (B, M, D); None in
            self-attention. In joint attention those of the image come before them.
        attention_mask (Tensor, optional): Added to the scores, (B, 1 or N, M).

    Returns:
        Tensor: (B, N, M), in joint attention (B, N, N + M); each of the N rows sums to 1.
    """
    queries = _of_heads(attention, 'to_q', 'norm_q', hidden_states)
    if encoder_hidden_states is None or attention.added_kv_proj_dim is not None:
        keys = _of_heads(attention, 'to_k', 'norm_k', hidden_states)
        if encoder_hidden_states is not None:
            of_text = _of_heads(attention, 'add_k_proj', 'norm_added_k', encoder_hidden_states)
            keys = torch.cat([keys, of_text], dim=1)
    else:
        if attention.norm_cross:
            encoder_hidden_states = attention.norm_encoder_hidden_states(encoder_hidden_states)
        keys = _of_heads(attention, 'to_k', 'norm_k', encoder_hidden_states)
    return sum(
        attention.get_attention_scores(query, key, attention_mask) / attention.heads
        for query, key in zip(queries.unbind(2), keys.unbind(2), strict=True))


def _of_heads(attention: Attention, project: str, norm: str, states: Tensor) -> Tensor:
    """Queries or keys, (B, N, heads, C)."""
    projected = getattr(attention, project)(states).unflatten(-1, (attention.heads, -1))
    norm = getattr(attention, norm, None)  # older versions of diffusers have none
    return projected if norm is None else norm(projected)


def as_map(tokens: Tensor) -> Tensor:
    """Tokens of a square map, (B, s x s, C), as (B, C, s, s)."""
    side = math.isqrt(tokens.shape[1])
    return tokens.transpose(1, 2).unflatten(2, (side, side))


class AttentionTap(nn.Module):
    """Stands in place of an attention layer of a square map, and reads it, see :func:`reading`.

    First its probabilities are noted, averaged over the heads, (B, keys, s, s): at each cell, what
    it looks at; then its output, (B, C, s, s).

    Args:
        attention (Attention): A layer of diffusers.

    Attributes:
        keys (dict[str, int]): The probabilities that are noted, 'self' or 'cross', each with its
            number of keys: channels of the map.
        output (bool): Whether its output is noted.
    """

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.attention = attention
        self.keys: dict[str, int] = {}
        self.output = False
        self.runs = True

    @property
    def width(self) -> int:
        """Channels of the layer's output."""
        return self.attention.to_out[0].out_features

    def drop_output(self) -> None:
        """Neither compute nor keep in memory what only the layer's output needs."""
        self.runs = False
        self.attention.to_v = self.attention.to_out = None

    def forward(
        self, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None, **kwargs: Any,
    ) -> Tensor:
        """Read the layer, and go on with what it makes; with the input, where nothing needs that.

        Raises:
            ValueError: If there are more or fewer keys than channels of the map.
        """
        if self.keys:
            probabilities = attention_probabilities(
                self.attention, hidden_states, encoder_hidden_states, attention_mask)
            for keys in self.keys.values():
                _note_probabilities(probabilities, keys)
        if not self.runs:
            return hidden_states
        result = self.attention(
            hidden_states, encoder_hidden_states=encoder_hidden_states,
            attention_mask=attention_mask, **kwargs)
        if self.output:
            note(as_map(result))
        return result


class JointAttentionTap(AttentionTap):
    """Likewise of the joint attention of image and text, where all share one softmax.

    Of the probabilities of the image's queries, 'self' are those of the image's keys, 'cross' those
    of the text's: together they sum to 1. The output is the image's.
    """

    def drop_output(self) -> None:
        """Neither compute nor keep in memory what only the layer's outputs need."""
        super().drop_output()
        for name in ('add_q_proj', 'add_v_proj', 'to_add_out', 'norm_added_q'):
            setattr(self.attention, name, None)

    def drop_text(self) -> None:
        """Leave the output of the text as attention makes it, before its projection."""
        if self.attention.to_add_out is not None:
            self.attention.to_add_out = nn.Identity()

    def forward(
        self, hidden_states: Tensor, encoder_hidden_states: Tensor, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """As of :class:`AttentionTap`, of image and text.

        Raises:
            ValueError: If there are more or fewer keys than channels of a map.
        """
        if self.keys:
            probabilities = attention_probabilities(
                self.attention, hidden_states, encoder_hidden_states)
            cells = hidden_states.shape[1]
            parts = dict(self=probabilities[..., :cells], cross=probabilities[..., cells:])
            for kind, part in parts.items():
                if kind in self.keys:
                    _note_probabilities(part, self.keys[kind])
        if not self.runs:
            return hidden_states, encoder_hidden_states
        results = self.attention(
            hidden_states=hidden_states, encoder_hidden_states=encoder_hidden_states, **kwargs)
        if self.output:
            note(as_map(results[0]))
        return results


def _note_probabilities(probabilities: Tensor, keys: int) -> None:
    if probabilities.shape[-1] != keys:
        raise ValueError(
            f'an attention map has {probabilities.shape[-1]} keys and was to have {keys}, one per '
            'channel: give images of the size that the extractor was made for (image_size)')
    note(as_map(probabilities))
