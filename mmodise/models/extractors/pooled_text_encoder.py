"""What a caption does to a generator that takes pooled text: its own text encoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from ...checkpoints.stable_diffusion.caption_tokens import load_caption_tokens
from .text_encoder import FrozenTextEncoder


class PooledTextEncoder(FrozenTextEncoder):
    """Text encoders of CLIPs, side by side, of a generator that takes pooled text; never trained.

    The text is what enters the last layer of each; the pooled text the embeddings by those that
    have a projection.
    """

    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """What N captions are to the generator; each is encoded once.

        Returns:
            tuple: The text, (N, L, C), and the pooled text, (N, P).
        """
        states, frozen = self._look_up(captions), self.frozen
        pooled_width = sum(
            encoder.config.projection_dim for encoder in frozen.encoders
            if isinstance(encoder, CLIPTextModelWithProjection))
        text, pooled = states.split([states.shape[1] - pooled_width, pooled_width], dim=1)
        return text.unflatten(1, (self._length, -1)), pooled

    @property
    def _length(self) -> int:
        """Tokens of the text."""
        return self.frozen.tokens[0].length

    @torch.no_grad()
    def _encode_new(self, captions: list[str]) -> Tensor:
        frozen = self.frozen
        with self.own_precision():  # all positions count: there is no attention mask
            encoded = [encoder(tokens(captions).to(frozen.device), output_hidden_states=True)
                       for encoder, tokens in zip(frozen.encoders, frozen.tokens, strict=True)]
        text = torch.cat([of.hidden_states[-2] for of in encoded], dim=-1)
        pooled = [of.text_embeds for of in encoded if 'text_embeds' in of]
        return torch.cat([self._whole_text(text, captions).flatten(1), *pooled], dim=1)

    def _whole_text(self, text: Tensor, captions: list[str]) -> Tensor:
        """The text of which the CLIPs make a part."""
        return text

    def forward(self, captions: Sequence[str]) -> tuple[Tensor, None, Tensor]:
        """Offsets of text, (N, L, C), and pooled text, (N, P), to those of the empty caption."""
        text, pooled = self.encode(captions)
        empty_text, empty_pooled = self.encode([''])
        return text - empty_text, None, pooled - empty_pooled


def with_tokens(
    pretrained: str, encoders: Mapping[str, CLIPTextModel | CLIPTextModelWithProjection]
) -> dict[str, object]:
    """Text encoders with what makes their tokens, as :class:`PooledTextEncoder` holds them.

    Args:
        pretrained (str): Where they are from.
        encoders (Mapping): By the names of their tokenizers, such as 'tokenizer_2'.

    Raises:
        ValueError: If a tokenizer is of another model.
    """
    return dict(
        encoders=nn.ModuleList(encoders.values()),
        tokens=[load_caption_tokens(pretrained, encoder.config, tokenizer)
                for tokenizer, encoder in encoders.items()])
