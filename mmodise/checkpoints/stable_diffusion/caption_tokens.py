"""Tokens of captions, as a Stable Diffusion's own text encoder reads them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from mmengine.logging import print_log
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTokenizer

from ...weights import locate


@dataclass
class CaptionTokens:
    """Turns captions into tokens: a start, words, an end, and padding.

    Args:
        encode (Callable): The tokens of a caption's words.
        start (int): Token.
        end (int): Token.
        padding (int): Token.
        length (int): Tokens that the text encoder reads.
    """

    encode: Callable[[str], list[int]]
    start: int
    end: int
    padding: int
    length: int
    _warned: bool = field(default=False, repr=False)

    def __call__(self, captions: Sequence[str]) -> Tensor:
        """Tokens of N captions, (N, length); too long ones are cut, which is told once."""
        return torch.tensor([self._tokens(caption) for caption in captions], device='cpu')

    def _tokens(self, caption: str) -> list[int]:
        words, limit = self.encode(caption), self.length - 2
        if len(words) > limit and not self._warned:
            self._warned = True
            print_log(
                f'A caption of {len(words)} tokens is cut, the text encoder reads {limit}: '
                f'{caption[:60]!r}... It is told of the first one only.', 'current',
                logging.WARNING)
        tokens = [self.start, *words[:limit], self.end]
        return tokens + [self.padding] * (self.length - len(tokens))


def load_caption_tokens(
    pretrained: str, config: CLIPTextConfig, part: str = 'tokenizer'
) -> CaptionTokens:
    """Load a tokenizer of a Stable Diffusion.

    A single file brings none: CLIP's is taken then.

    Args:
        pretrained (str): As in :func:`load_stable_diffusion`.
        config (CLIPTextConfig): Of the text encoder.
        part (str): Its folder. Defaults to 'tokenizer'; XL's second is 'tokenizer_2'.

    Raises:
        ValueError: If the tokenizer is of another model.
    """
    pretrained, length = locate(pretrained), config.max_position_embeddings
    if os.path.isfile(pretrained):
        tokenizer = SimpleTokenizer()
        words = tokenizer.vocab_size
        made = CaptionTokens(tokenizer.encode, config.bos_token_id, config.eos_token_id,
                             config.pad_token_id, length)
    else:
        tokenizer = CLIPTokenizer.from_pretrained(pretrained, subfolder=part)
        words = len(tokenizer)
        made = CaptionTokens(
            lambda text: tokenizer(text, add_special_tokens=False).input_ids,
            tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, length)
    if words != config.vocab_size:
        raise ValueError(
            f"pretrained='{pretrained}': the tokenizer has {words} words and the text encoder "
            f'{config.vocab_size}; captions cannot be read with it. Give a folder with '
            f'{part}/ and {part.replace("tokenizer", "text_encoder")}/ of one model')
    return made
