"""What attention layers of diffusers' networks look at, and what they make of it."""

from __future__ import annotations

import math
from typing import Any

from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from .taps import note


def attention_probabilities(
    attention: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None,
    attention_mask: Tensor | None = None,
) -> Tensor:
    """Softmax of queries times keys, averaged over the heads, one head after another.

    Args:
        attention (Attention): A layer of diffusers.
        hidden_states (Tensor): What it is given, (B, N, C).
        encoder_hidden_states (Tensor, optional): What the keys are made of, (B, M, D); None in
            self-attention.
        attention_mask (Tensor, optional): Added to the scores, (B, 1 or N, M).

    Returns:
        Tensor: (B, N, M); each of the N rows sums to 1.
    """
    if encoder_hidden_states is None:
        encoder_hidden_states = hidden_states
    elif attention.norm_cross:
        encoder_hidden_states = attention.norm_encoder_hidden_states(encoder_hidden_states)
    queries = attention.to_q(hidden_states).unflatten(-1, (attention.heads, -1))
    keys = attention.to_k(encoder_hidden_states).unflatten(-1, (attention.heads, -1))
    if getattr(attention, 'norm_q', None) is not None:  # older versions of diffusers have none
        queries = attention.norm_q(queries)
    if getattr(attention, 'norm_k', None) is not None:
        keys = attention.norm_k(keys)
    return sum(
        attention.get_attention_scores(query, key, attention_mask) / attention.heads
        for query, key in zip(queries.unbind(2), keys.unbind(2), strict=True))


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
        keys (int, optional): Noted are its probabilities, for so many keys: channels of the map.
            None: they are not. Defaults to None.
        output (bool): Whether its output is noted. Defaults to False.
    """

    def __init__(
        self, attention: Attention, keys: int | None = None, output: bool = False
    ) -> None:
        super().__init__()
        self.attention = attention
        self.keys = keys
        self.output = output
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
        if self.keys is not None:
            probabilities = attention_probabilities(
                self.attention, hidden_states, encoder_hidden_states, attention_mask)
            if probabilities.shape[-1] != self.keys:
                raise ValueError(
                    f'an attention map has {probabilities.shape[-1]} keys and was to have '
                    f'{self.keys}, one per channel: give images of the size that the extractor '
                    'was made for (image_size)')
            note(as_map(probabilities))
        if not self.runs:
            return hidden_states
        result = self.attention(
            hidden_states, encoder_hidden_states=encoder_hidden_states,
            attention_mask=attention_mask, **kwargs)
        if self.output:
            note(as_map(result))
        return result
