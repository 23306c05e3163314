"""Loading Stable Diffusion XL."""

from __future__ import annotations

from typing import NamedTuple

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from .compvis_layouts import STABLE_DIFFUSION_XL
from .source import Architecture, Family, opened

#: Numbers that the UNet is told of an image: original height and width, top and left of the crop,
#: height and width.
NUM_SIZES = 6

_FAMILY = Family(
    STABLE_DIFFUSION_XL,
    dict(text_encoder=CLIPTextModel, text_encoder_2=CLIPTextModelWithProjection),
    'vae/ (makes latents of images; its inner maps are features), unet/ (features), and '
    'text_encoder/ with tokenizer/ and text_encoder_2/ with tokenizer_2/ (the condition of the '
    'empty caption)', has_sizes=True)


class StableDiffusionXL(NamedTuple):
    """What :func:`load_stable_diffusion_xl` gives.

    Attributes:
        vae (AutoencoderKL): Makes latents.
        unet (UNet2DConditionModel, optional): None if it was not needed.
        empty_text (Tensor): For "", what enters the last layer of both text encoders, side by side,
            (1, 77, C).
        empty_pooled (Tensor): The second one's embedding of "", (1, P).
    """

    vae: AutoencoderKL
    unet: UNet2DConditionModel | None
    empty_text: Tensor
    empty_pooled: Tensor


def load_stable_diffusion_xl(
    pretrained: str, with_unet: bool = True, architecture: Architecture = None
) -> StableDiffusionXL:
    """Load Stable Diffusion XL's networks, and its text condition of the empty caption.

    The text encoders are run once, for "", as diffusers' pipeline runs them, and not kept. All is
    in float32.

    Args:
        pretrained (str): As in :func:`load_stable_diffusion`.
        with_unet (bool): Whether the UNet is needed. Defaults to True.
        architecture (Mapping, optional): Likewise; parts are 'unet', 'vae', 'text_encoder' and
            'text_encoder_2'.

    Raises:
        FileNotFoundError: As :func:`load_stable_diffusion`.
        ValueError: Likewise; also if the UNet is told other numbers than the six of a base model,
            as the refiner is.
    """
    parts = ['vae', 'text_encoder', 'text_encoder_2', *(['unet'] if with_unet else [])]
    with opened(pretrained, _FAMILY, parts, architecture) as source:
        vae, unet = source.load_vae_and_unet(with_unet)
        first, second = map(source.encode_empty_caption, _FAMILY.text_encoders)
        text = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        loaded = StableDiffusionXL(vae, unet, text, second.text_embeds)
        if unet is not None:
            _check_condition(loaded)
        return loaded


def load_text_encoders_xl(
    pretrained: str, architecture: Architecture = None
) -> tuple[CLIPTextModel, CLIPTextModelWithProjection]:
    """Load Stable Diffusion XL's text encoders alone.

    Args:
        pretrained (str): As in :func:`load_stable_diffusion_xl`.
        architecture (Mapping, optional): Likewise.

    Raises:
        FileNotFoundError: As :func:`load_stable_diffusion_xl`.
        ValueError: Likewise.
    """
    parts = list(_FAMILY.text_encoders)
    with opened(pretrained, _FAMILY, parts, architecture) as source:
        first, second = map(source.load, parts)
        return first, second


def _check_condition(loaded: StableDiffusionXL) -> None:
    """Refuse a UNet that is told something else."""
    config, (pooled, width) = loaded.unet.config, (
        loaded.empty_pooled.shape[1], loaded.empty_text.shape[2])
    of_sizes = NUM_SIZES * config.addition_time_embed_dim
    if (expected := config.projection_class_embeddings_input_dim) != pooled + of_sizes:
        raise ValueError(
            f'the UNet is told {expected} numbers beside the text; expected are {pooled} of pooled '
            f'text and {NUM_SIZES} sizes of {config.addition_time_embed_dim} each. Give a base '
            'model, not the refiner; of a single file, set '
            'architecture=dict(unet=dict(addition_time_embed_dim=...))')
    if config.cross_attention_dim != width:
        raise ValueError(
            f'the UNet takes text of width {config.cross_attention_dim}, and the text encoders '
            f'make {width}; they are not of the same model')
