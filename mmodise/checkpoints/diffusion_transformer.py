"""Loading Stable Diffusion 3."""

from __future__ import annotations

import os
from typing import NamedTuple

import torch
from diffusers import AutoencoderKL, SD3Transformer2DModel
from torch import Tensor
from transformers import (
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    PreTrainedTokenizerBase,
    T5EncoderModel,
    T5TokenizerFast,
)

from ..weights import locate
from .generator_folder import GeneratorFolder, opened_folder

_TEXT = dict(
    text_encoder=CLIPTextModelWithProjection, text_encoder_2=CLIPTextModelWithProjection,
    tokenizer=CLIPTokenizer, tokenizer_2=CLIPTokenizer)
_T5, _T5_TOKENIZER = 'text_encoder_3', 'tokenizer_3'
_CONTENTS = (
    'vae/ (makes latents of images; its inner maps are features), transformer/ (features), and '
    'text_encoder/ with tokenizer/ and text_encoder_2/ with tokenizer_2/ (the condition of the '
    'empty caption); text_encoder_3/, which is T5, may be missing; captions need its tokenizer_3/')


class StableDiffusion3(NamedTuple):
    """What :func:`load_stable_diffusion_3` gives; all but the VAE is None if not needed.

    Attributes:
        vae (AutoencoderKL): Makes latents.
        transformer (SD3Transformer2DModel): Removes noise.
        empty_text (Tensor): For "", what enters the last layer of both CLIPs, side by side,
            (1, 77, C).
        empty_t5 (Tensor): For "", what T5 makes, or zeros without one, (1, L, J), J >= C.
        empty_pooled (Tensor): Both CLIPs' embeddings of "", side by side, (1, P).
    """

    vae: AutoencoderKL
    transformer: SD3Transformer2DModel | None = None
    empty_text: Tensor | None = None
    empty_t5: Tensor | None = None
    empty_pooled: Tensor | None = None


def load_stable_diffusion_3(
    pretrained: str, with_transformer: bool = True, t5_length: int = 256,
    with_t5: bool | None = None,
) -> StableDiffusion3:
    """Load Stable Diffusion 3's networks, and its text condition of the empty caption.

    The text encoders are run once, for "", as diffusers' pipeline runs them, and not kept. All is
    in float32.

    Args:
        pretrained (str): A local folder in diffusers' layout, a hub id, or ``mmodise://`` weights.
        with_transformer (bool): Whether more than the VAE is needed. Defaults to True.
        t5_length (int): Tokens of T5's part of the condition. Defaults to 256.
        with_t5 (bool, optional): Whether T5 makes them; otherwise they are zeros. None: if a local
            folder has it. Defaults to None.

    Raises:
        FileNotFoundError: If a part is missing or cannot be read; names it, and says what is
            accepted.
        ValueError: If it is of another family; or weights do not fit together, or hold nan or
            infinity.
    """
    classes = dict(vae=AutoencoderKL)
    if with_transformer:
        classes.update(transformer=SD3Transformer2DModel, **_TEXT)
        if _reads_t5(pretrained, t5_length, with_t5):
            classes[_T5] = T5EncoderModel
    with opened_folder(pretrained, 'Stable Diffusion 3', classes, _CONTENTS) as folder:
        vae = folder.load('vae')
        if not with_transformer:
            return StableDiffusion3(vae)
        transformer = folder.load('transformer')
        first, second = map(folder.encode_empty_caption, ('text_encoder', 'text_encoder_2'))
        loaded = StableDiffusion3(
            vae, transformer,
            torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1),
            _empty_t5(folder, t5_length) if _T5 in classes else
            torch.zeros(1, t5_length, transformer.config.joint_attention_dim),
            torch.cat([first.text_embeds, second.text_embeds], dim=-1))
        _check_fit(loaded)
        return loaded


class TextEncoders3(NamedTuple):
    """What :func:`load_text_encoders_3` gives.

    Attributes:
        first (CLIPTextModelWithProjection): Of ``text_encoder/``.
        second (CLIPTextModelWithProjection): Of ``text_encoder_2/``.
        t5 (T5EncoderModel, optional): None if it is not read.
        t5_tokenizer (PreTrainedTokenizerBase, optional): Likewise.
    """

    first: CLIPTextModelWithProjection
    second: CLIPTextModelWithProjection
    t5: T5EncoderModel | None = None
    t5_tokenizer: PreTrainedTokenizerBase | None = None


def load_text_encoders_3(
    pretrained: str, t5_length: int = 256, with_t5: bool | None = None
) -> TextEncoders3:
    """Load Stable Diffusion 3's text encoders alone.

    Args:
        pretrained (str): As in :func:`load_stable_diffusion_3`.
        t5_length (int): Likewise. Defaults to 256.
        with_t5 (bool, optional): Likewise. Defaults to None.

    Raises:
        FileNotFoundError: As in :func:`load_stable_diffusion_3`.
        ValueError: Likewise.
    """
    classes, reads_t5 = dict(_TEXT), _reads_t5(pretrained, t5_length, with_t5)
    if reads_t5:
        classes.update({_T5: T5EncoderModel, _T5_TOKENIZER: T5TokenizerFast})
    with opened_folder(pretrained, 'Stable Diffusion 3', classes, _CONTENTS) as folder:
        clips = folder.load('text_encoder'), folder.load('text_encoder_2')
        if not reads_t5:
            return TextEncoders3(*clips)
        return TextEncoders3(*clips, folder.load(_T5), folder.load_tokenizer(_T5_TOKENIZER))


def _reads_t5(pretrained: str, t5_length: int, with_t5: bool | None) -> bool:
    if with_t5 is None:
        with_t5 = os.path.isdir(os.path.join(locate(pretrained), _T5))
    return bool(with_t5 and t5_length)


def _empty_t5(folder: GeneratorFolder, length: int) -> Tensor:
    encoder = folder.load(_T5)
    tokens = torch.full((1, length), encoder.config.pad_token_id)  # without an attention mask
    tokens[0, 0] = encoder.config.eos_token_id  # all that T5's tokenizer makes of ""
    with torch.no_grad():
        return encoder(tokens).last_hidden_state


def _check_fit(loaded: StableDiffusion3) -> None:
    """Refuse networks that are not of one model."""
    config, vae = loaded.transformer.config, loaded.vae.config
    if config.in_channels != vae.latent_channels:
        raise ValueError(
            f'the transformer takes {config.in_channels} channels and the VAE makes '
            f'{vae.latent_channels}; models for inpainting cannot be used, a model that takes text '
            'only is needed')
    text, t5 = loaded.empty_text.shape[2], loaded.empty_t5.shape[2]
    pooled, width = loaded.empty_pooled.shape[1], config.joint_attention_dim
    if text > width or t5 != width or pooled != config.pooled_projection_dim:
        raise ValueError(
            f'the transformer takes text of width {width} and pooled text of width '
            f'{config.pooled_projection_dim}; the CLIPs make {text} and {pooled}, T5 {t5}; they '
            'are not of the same model')
