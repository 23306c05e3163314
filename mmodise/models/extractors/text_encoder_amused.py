"""What a caption does to aMUSEd: its own text encoder."""

from __future__ import annotations

from ...checkpoints.token_diffusion import load_text_encoder_amused
from .pooled_text_encoder import PooledTextEncoder, with_tokens


class FrozenTextEncoderAmused(PooledTextEncoder):
    """The text encoder of an aMUSEd, never trained.

    Args:
        pretrained (str): As in :class:`TokenDiffusionExtractor`.

    Raises:
        FileNotFoundError: If it cannot be loaded.
        ValueError: Likewise, or if its tokenizer is of another model.
    """

    def __init__(self, pretrained: str) -> None:
        super().__init__(pretrained)

    @staticmethod
    def _load(pretrained: str) -> dict[str, object]:
        return with_tokens(pretrained, dict(tokenizer=load_text_encoder_amused(pretrained)))
