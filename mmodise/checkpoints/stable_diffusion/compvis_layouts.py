"""What single files of Stable Diffusion hold, by prefixes, as they were first published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from . import compvis_architecture as told


@dataclass(frozen=True)
class Part:
    """A network of a file.

    Attributes:
        prefix (str): Its weights' names begin with it.
        settings (Callable): Gives its settings, of names without the prefix and shapes.
        build (Callable): Builds it.
        rename (Callable): Gives its weights the names of what was built.
    """

    prefix: str
    settings: Callable[[Mapping], dict]
    build: Callable[..., nn.Module]
    rename: Callable[[dict, nn.Module], dict]


@dataclass(frozen=True)
class Layout:
    """What a file of one kind holds.

    Attributes:
        family (str): Of which models.
        parts (dict[str, Part]): By the names of diffusers' folders.
        others (dict[str, str]): How files of other kinds are known, by a name in them.
    """

    family: str
    parts: dict[str, Part]
    others: dict[str, str]


def _build_text_encoder(text_class: type, **settings: object) -> nn.Module:
    return text_class(CLIPTextConfig(**settings))


def _rename_text_encoder(weights: dict, network: nn.Module, open_clip: str) -> dict:
    if any(name.startswith(open_clip) for name in weights):
        renamed = convert_open_clip_checkpoint(network, weights, prefix=open_clip)
    else:
        renamed = convert_ldm_clip_checkpoint(weights)
    if hasattr(network, 'text_model'):
        return renamed
    return {name.removeprefix('text_model.'): value for name, value in renamed.items()}


def _text_encoder(
    prefix: str, settings: Callable[[Mapping], dict], text_class: type = CLIPTextModel
) -> Part:
    return Part(prefix, settings, partial(_build_text_encoder, text_class),
                partial(_rename_text_encoder, open_clip=f'{prefix}model.'))


def _vae(settings: Callable[[Mapping], dict]) -> Part:
    return Part('first_stage_model.', settings, AutoencoderKL,
                lambda weights, network: convert_ldm_vae_checkpoint(weights, network.config))


def _unet(settings: Callable[[Mapping], dict]) -> Part:
    return Part('model.diffusion_model.', settings, UNet2DConditionModel,
                lambda weights, network: convert_ldm_unet_checkpoint(weights, network.config))


_OTHERS = {
    r'backbone\.feature_extractor\.|sem_seg_head\.|category_head\.':
        'a checkpoint of the official ODISE, which has only what was trained; '
        '`mim run mmodise convert_checkpoint` makes one of mmodise of it, for `load_from`',
    r'backbone\.captioner\.|panoptic_head\.': 'a checkpoint of mmodise, which is for `load_from`',
    r'model\.diffusion_model\.(joint|double)_': 'a diffusion transformer, which has no UNet',
    r'(encoder\.|decoder\.)?(down|mid|up)_blocks?\.':
        "one network in diffusers' names; give the folder that has all of them",
    r'(text_model\.)?encoder\.layers\.': "a text encoder in transformers' names; give the folder",
    r'(encoder|decoder)\.(down|mid|up)\.': 'a VAE without its prefix first_stage_model',
    r'(input|middle|output)_blocks?\.': 'a UNet without its prefix model.diffusion_model',
    r'lora_': 'a LoRA, which changes a model and is none',
    r'visual\.|transformer\.resblocks\.': 'a CLIP',
}

#: Versions 1.x and 2.x.
STABLE_DIFFUSION = Layout(
    'Stable Diffusion',
    dict(vae=_vae(told.vae_settings), unet=_unet(told.unet_settings),
         text_encoder=_text_encoder('cond_stage_model.', told.text_encoder_settings)),
    {r'conditioner\.embedders\.':
        'Stable Diffusion XL, which has another text condition; StableDiffusionXLExtractor reads '
        'it', **_OTHERS})
#: With two text encoders.
STABLE_DIFFUSION_XL = Layout(
    'Stable Diffusion XL',
    dict(vae=_vae(told.vae_settings_xl), unet=_unet(told.unet_settings_xl),
         text_encoder=_text_encoder('conditioner.embedders.0.', told.text_encoder_settings),
         text_encoder_2=_text_encoder('conditioner.embedders.1.', told.text_encoder_2_settings,
                                      CLIPTextModelWithProjection)),
    {r'cond_stage_model\.':
        'Stable Diffusion 1.x or 2.x, which StableDiffusionExtractor reads',
     r'conditioner\.embedders\.0\.model\.':
        'the refiner of Stable Diffusion XL, which has one text encoder; give the base model',
     **_OTHERS})
