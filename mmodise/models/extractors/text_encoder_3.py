"""What a caption does to Stable Diffusion 3: its own text encoders."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checkpoints.diffusion_transformer import load_text_encoders_3
from .pooled_text_encoder import PooledTextEncoder, with_tokens


class FrozenTextEncoder3(PooledTextEncoder):
    """The text encoders of a Stable Diffusion 3, never trained.

    Captions are what diffusers' pipeline makes of them. Where T5 makes its part of the condition of
    the empty caption, it reads captions, too, and stays in memory for that, 19 GB of the published
    ones; a generator that is read ``with_t5=False`` has zeros there, whatever the caption, and
    offsets are of the CLIPs' part alone.

    Args:
        pretrained (str): As in :class:`DiffusionTransformerExtractor`.
        t5_length (int): Likewise. Defaults to 256.
        with_t5 (bool, optional): Likewise. Defaults to None.

    Raises:
        FileNotFoundError: If one cannot be loaded.
        ValueError: Likewise, or if a tokenizer is of another model.
    """

    max_captions = 32  # 170 MB with T5

    def __init__(
        self, pretrained: str, t5_length: int = 256, with_t5: bool | None = None
    ) -> None:
        super().__init__(pretrained, t5_length, with_t5)

    @staticmethod
    def _load(pretrained: str, t5_length: int, with_t5: bool | None) -> dict[str, object]:
        first, second, t5, t5_tokenizer = load_text_encoders_3(pretrained, t5_length, with_t5)
        return dict(
            with_tokens(pretrained, dict(tokenizer=first, tokenizer_2=second)),
            t5=t5, t5_tokenizer=t5_tokenizer, t5_length=t5_length)

    @property
    def _length(self) -> int:
        return super()._length + (0 if self.frozen.t5 is None else self.frozen.t5_length)

    def _whole_text(self, text: Tensor, captions: list[str]) -> Tensor:
        frozen = self.frozen
        if frozen.t5 is None:
            return text
        tokens = frozen.t5_tokenizer(
            captions, padding='max_length', max_length=frozen.t5_length, truncation=True,
            return_tensors='pt').input_ids
        with self.own_precision():  # without an attention mask
            return join_text(text, frozen.t5(tokens.to(frozen.device)).last_hidden_state)


def join_text(of_clips: Tensor, of_t5: Tensor) -> Tensor:
    """The CLIPs' part of the text, (N, 77, C), and T5's, (N, L, J), as one, (N, 77 + L, J)."""
    return torch.cat([F.pad(of_clips, (0, of_t5.shape[2] - of_clips.shape[2])), of_t5], dim=1)
