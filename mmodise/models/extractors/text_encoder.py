"""What a caption does to a generator: its own text encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...checkpoints.stable_diffusion import load_text_encoder
from ...checkpoints.stable_diffusion.caption_tokens import load_caption_tokens
from ...weights import locate
from ..clip.text_embeddings import TextEmbeddings
from ..frozen import FrozenModule, FrozenNetworks

# captions whose states are kept: 60 MB of Stable Diffusion 1.x, 160 MB of XL
_MAX_CAPTIONS = 256


class FrozenTextEncoder(FrozenModule):
    """The text encoder of a Stable Diffusion 1.x or 2.x, never trained.

    Args:
        pretrained (str): As in :class:`StableDiffusionExtractor`.
        architecture (Mapping, optional): Likewise.

    Raises:
        FileNotFoundError: If it cannot be loaded.
        ValueError: Likewise, or if its tokenizer is of another model.
    """

    def __init__(self, pretrained: str, architecture: Mapping | None = None) -> None:
        origin = type(self).__name__, locate(pretrained), repr(architecture)
        super().__init__(FrozenNetworks.obtain(origin, lambda: FrozenNetworks(
            origin, states=TextEmbeddings(_MAX_CAPTIONS), **self._load(pretrained, architecture))))

    @staticmethod
    def _load(pretrained: str, architecture: Mapping | None) -> dict[str, object]:
        encoder = load_text_encoder(pretrained, architecture)
        return dict(encoder=encoder, tokens=load_caption_tokens(pretrained, encoder.config))

    def encode(self, captions: Sequence[str]) -> Tensor:
        """The last hidden states of N captions, (N, L, C); each caption is encoded once."""
        with torch.inference_mode(False):  # what is kept serves later calls that need gradients
            states = self.frozen.states.look_up(captions, self._encode_new, at_once=32)
        return states.unflatten(1, (self.frozen.tokens.length, -1))

    @torch.no_grad()
    def _encode_new(self, captions: list[str]) -> Tensor:
        frozen = self.frozen
        with self.own_precision():  # all positions count: there is no attention mask
            states = frozen.encoder(frozen.tokens(captions).to(frozen.device)).last_hidden_state
        return states.flatten(1)

    def forward(self, captions: Sequence[str]) -> tuple[Tensor, None]:
        """Offsets of the text condition, (N, L, C), to that of the empty caption; none of time."""
        return self.encode(captions) - self.encode(['']), None
