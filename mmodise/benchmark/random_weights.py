"""Frozen networks at full size without files of weights: random numbers cost as much time."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest import mock

import open_clip
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn

from ..checkpoints import clip_loading
from ..models.extractors import stable_diffusion
from ..weights import locate

#: Stable Diffusion 1.x; what is not said is diffusers' default.
_VAE = dict(
    block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=512,
    down_block_types=['DownEncoderBlock2D'] * 4, up_block_types=['UpDecoderBlock2D'] * 4)
_UNET = dict(sample_size=64, cross_attention_dim=768)
_TOKENS = 77


@contextmanager
def random_weights() -> Iterator[list[str]]:
    """Let Stable Diffusion and CLIP be built of random numbers where their weights are not local.

    A Stable Diffusion is of version 1.x, but for what the extractor's ``architecture`` says; a CLIP
    is what open_clip has under its name. Local folders and files are read as always.

    Yields:
        list[str]: What has been built of random numbers so far.
    """
    built: list[str] = []
    with mock.patch.object(
        stable_diffusion, 'load_stable_diffusion',
        functools.partial(_stable_diffusion, stable_diffusion.load_stable_diffusion, built),
    ), mock.patch.object(
        clip_loading, '_load', functools.partial(_clip, clip_loading._load, built)
    ):
        yield built


def _stable_diffusion(
    load, built: list[str], pretrained: str, with_unet: bool = True,
    architecture: Mapping[str, Mapping] | None = None,
) -> tuple[AutoencoderKL, UNet2DConditionModel | None, Tensor]:
    if os.path.exists(locate(pretrained)):
        return load(pretrained, with_unet, architecture)
    built.append(pretrained)
    torch.manual_seed(0)  # two models of a comparison get the same
    given = architecture or {}
    unet_settings = {**_UNET, **given.get('unet', {})}
    vae = AutoencoderKL(**{**_VAE, **given.get('vae', {})})
    unet = None
    if with_unet:
        unet = UNet2DConditionModel(**unet_settings, class_embed_type='identity')
    return vae, unet, torch.randn(1, _TOKENS, unet_settings['cross_attention_dim'])


def _clip(
    load, built: list[str], model: str, pretrained: str | None, precision: str,
    architecture: Mapping,
) -> tuple[nn.Module, open_clip.SimpleTokenizer]:
    if os.path.exists(model) or os.path.isfile(pretrained or ''):
        return load(model, pretrained, precision, architecture)
    if model not in open_clip.list_models():
        raise ValueError(
            'random weights need a name that open_clip knows, or a local folder or file.')
    built.append(f'{model} ({pretrained})')
    torch.manual_seed(0)
    config = open_clip.get_model_config(model)
    settings = {name: {**config.get(name, {}), **value} if isinstance(value, Mapping) else value
                for name, value in architecture.items()}
    network = open_clip.create_model(model, precision=precision, **settings)
    return network, open_clip.get_tokenizer(model)
