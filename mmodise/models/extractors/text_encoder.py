"""What a caption does to a generator: its own text encoders."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...checkpoints.stable_diffusion import load_text_encoder, load_text_encoders_xl
from ...checkpoints.stable_diffusion.caption_tokens import load_caption_tokens
from ...weights import locate
from ..clip.text_embeddings import TextEmbeddings
from ..frozen import FrozenModule, FrozenNetworks

# captions whose states are kept: 60 MB of Stable Diffusion 1.x, 160 MB of XL
_MAX_CAPTIONS = 256


class FrozenCaptionEncoder(FrozenModule):
    """Base of a generator's text encoders, never trained; each caption is encoded once.

    Args:
        pretrained (str): As the extractor's.
        architecture (Mapping, optional): Likewise.

    Raises:
        FileNotFoundError: If they cannot be loaded.
        ValueError: Likewise, or if a tokenizer is of another model.
    """

    def __init__(self, pretrained: str, architecture: Mapping | None = None) -> None:
        origin = type(self).__name__, locate(pretrained), repr(architecture)
        super().__init__(FrozenNetworks.obtain(origin, lambda: FrozenNetworks(
            origin, states=TextEmbeddings(_MAX_CAPTIONS),
            **self._load(pretrained, architecture))))

    @abstractmethod
    def _load(self, pretrained: str, architecture: Mapping | None) -> dict[str, object]:
        """The networks and their tokens."""

    @abstractmethod
    def _encode_new(self, captions: Sequence[str]) -> Tensor:
        """What they make of N captions, (N, D)."""

    def _encode(self, captions: Sequence[str]) -> Tensor:
        with torch.inference_mode(False):  # what is kept serves later calls that need gradients
            return self.frozen.states.look_up(captions, self._encode_once, at_once=32)

    @torch.no_grad()
    def _encode_once(self, captions: list[str]) -> Tensor:
        with self.own_precision():  # all positions count: there is no attention mask
            return self._encode_new(captions)


class FrozenTextEncoder(FrozenCaptionEncoder):
    """The text encoder of a Stable Diffusion 1.x or 2.x."""

    def _load(self, pretrained: str, architecture: Mapping | None) -> dict[str, object]:
        encoder = load_text_encoder(pretrained, architecture)
        return dict(encoder=encoder, tokens=load_caption_tokens(pretrained, encoder.config))

    def _encode_new(self, captions: Sequence[str]) -> Tensor:
        frozen = self.frozen
        tokens = frozen.tokens(captions).to(frozen.device)
        return frozen.encoder(tokens).last_hidden_state.flatten(1)

    def encode(self, captions: Sequence[str]) -> Tensor:
        """The last hidden states of N captions, (N, L, C)."""
        return self._encode(captions).unflatten(1, (self.frozen.tokens.length, -1))


class FrozenTextEncodersXL(FrozenCaptionEncoder):
    """Both text encoders of a Stable Diffusion XL, read as diffusers' pipeline reads them."""

    def _load(self, pretrained: str, architecture: Mapping | None) -> dict[str, object]:
        first, second = load_text_encoders_xl(pretrained, architecture)
        return dict(
            first=first, second=second, first_tokens=load_caption_tokens(pretrained, first.config),
            second_tokens=load_caption_tokens(pretrained, second.config, 'tokenizer_2'))

    def _encode_new(self, captions: Sequence[str]) -> Tensor:
        frozen = self.frozen
        first, second = (
            encoder(tokens(captions).to(frozen.device), output_hidden_states=True)
            for encoder, tokens in ((frozen.first, frozen.first_tokens),
                                    (frozen.second, frozen.second_tokens)))
        states = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        return torch.cat([states.flatten(1), second.text_embeds], dim=1)

    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """What enters their last layers, (N, L, C), and the second one's embedding, (N, P)."""
        encoded, frozen = self._encode(captions), self.frozen
        pooled = frozen.second.config.projection_dim
        states = encoded[:, :-pooled].unflatten(1, (frozen.first_tokens.length, -1))
        return states, encoded[:, -pooled:]
