"""What a caption does to Stable Diffusion XL: its own text encoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...checkpoints.stable_diffusion import load_text_encoders_xl
from ...checkpoints.stable_diffusion.caption_tokens import load_caption_tokens
from .text_encoder import FrozenTextEncoder


class FrozenTextEncoderXL(FrozenTextEncoder):
    """The text encoders of a Stable Diffusion XL, never trained.

    Args:
        pretrained (str): As in :class:`StableDiffusionXLExtractor`.
        architecture (Mapping, optional): Likewise.
        zero_text (bool): Likewise. Defaults to False.

    Raises:
        FileNotFoundError: As :class:`FrozenTextEncoder`.
        ValueError: Likewise.
    """

    def __init__(
        self, pretrained: str, architecture: Mapping | None = None, zero_text: bool = False
    ) -> None:
        super().__init__(pretrained, architecture)
        self.zero_text = zero_text

    @staticmethod
    def _load(pretrained: str, architecture: Mapping | None) -> dict[str, object]:
        first, second = load_text_encoders_xl(pretrained, architecture)
        return dict(
            encoder=first, encoder_2=second,
            tokens=load_caption_tokens(pretrained, first.config),
            tokens_2=load_caption_tokens(pretrained, second.config, 'tokenizer_2'))

    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """What N captions are to the UNet; each is encoded once.

        Returns:
            tuple: What enters the last layer of both encoders, side by side, (N, L, C); and the
            pooled text, (N, P).
        """
        frozen = self.frozen
        with torch.inference_mode(False):  # what is kept serves later calls that need gradients
            states = frozen.states.look_up(captions, self._encode_new, at_once=32)
        pooled_width = frozen.encoder_2.config.projection_dim
        text, pooled = states.split([states.shape[1] - pooled_width, pooled_width], dim=1)
        return text.unflatten(1, (frozen.tokens.length, -1)), pooled

    @torch.no_grad()
    def _encode_new(self, captions: list[str]) -> Tensor:
        frozen = self.frozen
        with self.own_precision():
            first, second = (
                encoder(tokens(captions).to(frozen.device), output_hidden_states=True)
                for encoder, tokens in ((frozen.encoder, frozen.tokens),
                                        (frozen.encoder_2, frozen.tokens_2)))
        text = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        return torch.cat([text.flatten(1), second.text_embeds], dim=1)

    def forward(self, captions: Sequence[str]) -> tuple[Tensor, None, Tensor]:
        """Offsets of text, (N, L, C), and pooled text, (N, P), to what stands for no caption."""
        text, pooled = self.encode(captions)
        if self.zero_text:
            return text, None, pooled
        empty_text, empty_pooled = self.encode([''])
        return text - empty_text, None, pooled - empty_pooled
