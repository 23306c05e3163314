"""What a caption does to Stable Diffusion XL: its own text encoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from ...checkpoints.stable_diffusion import load_text_encoders_xl
from .pooled_text_encoder import PooledTextEncoder, with_tokens


class FrozenTextEncoderXL(PooledTextEncoder):
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
        return with_tokens(pretrained, dict(tokenizer=first, tokenizer_2=second))

    def forward(self, captions: Sequence[str]) -> tuple[Tensor, None, Tensor]:
        """Offsets of text, (N, L, C), and pooled text, (N, P), to what stands for no caption."""
        if not self.zero_text:
            return super().forward(captions)
        text, pooled = self.encode(captions)
        return text, None, pooled
