"""Frozen networks at full size without files of weights: random numbers cost as much time."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from unittest import mock

import open_clip
import torch
from diffusers import (
    AutoencoderKL,
    SD3Transformer2DModel,
    UNet2DConditionModel,
    UVit2DModel,
    VQModel,
)
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from ..checkpoints import clip_loading
from ..checkpoints.diffusion_transformer import StableDiffusion3
from ..checkpoints.stable_diffusion.loading_xl import NUM_SIZES, StableDiffusionXL
from ..checkpoints.token_diffusion import Amused
from ..models.extractors import (
    diffusion_transformer,
    stable_diffusion,
    stable_diffusion_xl,
    text_encoder,
    token_diffusion,
)
from ..weights import locate

#: Stable Diffusion 1.x; what is not said is diffusers' default.
_VAE = dict(
    block_out_channels=(128, 256, 512, 512), layers_per_block=2, sample_size=512,
    down_block_types=['DownEncoderBlock2D'] * 4, up_block_types=['UpDecoderBlock2D'] * 4)
_UNET = dict(sample_size=64, cross_attention_dim=768)
_TEXT_HEAD = 64  # channels of a head of its text encoder
#: Stable Diffusion XL likewise.
_VAE_XL = dict(_VAE, sample_size=1024, scaling_factor=0.13025)
_POOLED_WIDTH, _SIZE_WIDTH = 1280, 256
_UNET_XL = dict(
    sample_size=128, cross_attention_dim=2048, block_out_channels=(320, 640, 1280),
    down_block_types=('DownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'),
    up_block_types=('CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D'),
    transformer_layers_per_block=(1, 2, 10), attention_head_dim=(5, 10, 20),
    use_linear_projection=True, addition_embed_type='text_time',
    addition_time_embed_dim=_SIZE_WIDTH,
    projection_class_embeddings_input_dim=_POOLED_WIDTH + NUM_SIZES * _SIZE_WIDTH)
#: Stable Diffusion 3, medium.
_VAE_3 = dict(
    _VAE, sample_size=1024, latent_channels=16, scaling_factor=1.5305, shift_factor=0.0609,
    use_quant_conv=False, use_post_quant_conv=False)
_TRANSFORMER_3 = dict(
    sample_size=128, num_layers=24, num_attention_heads=24, caption_projection_dim=1536,
    pos_embed_max_size=192)
_TEXT_WIDTH_3 = _POOLED_WIDTH_3 = 768 + 1280  # of two CLIPs
#: aMUSEd for 512 pixels; what is not said of its transformer is diffusers' default.
_VQ = dict(
    block_out_channels=(128, 256, 256, 512, 768), layers_per_block=2, latent_channels=64,
    down_block_types=['DownEncoderBlock2D'] * 5, up_block_types=['UpDecoderBlock2D'] * 5,
    num_vq_embeddings=8192, mid_block_add_attention=False, lookup_from_codebook=True)
_TRANSFORMER_OF_TOKENS = dict(sample_size=32, downsample=True, upsample=True)
_TEXT_WIDTH_OF_TOKENS = 768
_TOKENS = 77


@contextmanager
def random_weights() -> Iterator[list[str]]:
    """Let generators and CLIP be built of random numbers where their weights are not local.

    A Stable Diffusion is of version 1.x, or XL, but for what the extractor's ``architecture`` says,
    or 3 medium without T5; an aMUSEd is that for 512 pixels; a CLIP is what open_clip has under its
    name. Local folders and files are read as always.

    Yields:
        list[str]: What has been built of random numbers so far.
    """
    built: list[str] = []
    loaders = (
        (stable_diffusion, 'load_stable_diffusion', _stable_diffusion),
        (text_encoder, 'load_text_encoder', _text_encoder),
        (stable_diffusion_xl, 'load_stable_diffusion_xl', _stable_diffusion_xl),
        (diffusion_transformer, 'load_stable_diffusion_3', _stable_diffusion_3),
        (token_diffusion, 'load_amused', _amused),
        (clip_loading, '_load', _clip))
    with ExitStack() as stack:
        for module, name, build in loaders:
            instead = functools.partial(build, getattr(module, name), built)
            stack.enter_context(mock.patch.object(module, name, instead))
        yield built


def _stable_diffusion(
    load, built: list[str], pretrained: str, with_unet: bool = True,
    architecture: Mapping[str, Mapping] | None = None,
) -> tuple[AutoencoderKL, UNet2DConditionModel | None, Tensor]:
    if os.path.exists(locate(pretrained)):
        return load(pretrained, with_unet, architecture)
    built.append(pretrained)
    vae, unet, width = _vae_and_unet(_VAE, _UNET, with_unet, architecture or {})
    return vae, unet, torch.randn(1, _TOKENS, width)


def _text_encoder(
    load, built: list[str], pretrained: str, architecture: Mapping[str, Mapping] | None = None
) -> CLIPTextModel:
    if os.path.exists(locate(pretrained)):
        return load(pretrained, architecture)
    given = architecture or {}
    width = {**_UNET, **given.get('unet', {})}['cross_attention_dim']
    settings = dict(
        hidden_size=width, intermediate_size=4 * width,
        num_attention_heads=max(width // _TEXT_HEAD, 1), projection_dim=width)
    return CLIPTextModel(CLIPTextConfig(**{**settings, **given.get('text_encoder', {})})).eval()


def _stable_diffusion_xl(
    load, built: list[str], pretrained: str, with_unet: bool = True,
    architecture: Mapping[str, Mapping] | None = None,
) -> StableDiffusionXL:
    if os.path.exists(locate(pretrained)):
        return load(pretrained, with_unet, architecture)
    built.append(pretrained)
    vae, unet, width = _vae_and_unet(_VAE_XL, _UNET_XL, with_unet, architecture or {})
    return StableDiffusionXL(
        vae, unet, torch.randn(1, _TOKENS, width), torch.randn(1, _POOLED_WIDTH))


def _stable_diffusion_3(
    load, built: list[str], pretrained: str, with_transformer: bool = True, t5_length: int = 256,
    with_t5: bool | None = None,
) -> StableDiffusion3:
    if os.path.exists(locate(pretrained)):
        return load(pretrained, with_transformer, t5_length, with_t5)
    built.append(pretrained)
    torch.manual_seed(0)
    vae = AutoencoderKL(**_VAE_3)
    if not with_transformer:
        return StableDiffusion3(vae)
    transformer = SD3Transformer2DModel(**_TRANSFORMER_3)
    return StableDiffusion3(
        vae, transformer, torch.randn(1, _TOKENS, _TEXT_WIDTH_3),
        torch.zeros(1, t5_length, transformer.config.joint_attention_dim),
        torch.randn(1, _POOLED_WIDTH_3))


def _amused(load, built: list[str], pretrained: str, with_transformer: bool = True) -> Amused:
    if os.path.exists(locate(pretrained)):
        return load(pretrained, with_transformer)
    built.append(pretrained)
    torch.manual_seed(0)
    vqvae = VQModel(**_VQ)
    if not with_transformer:
        return Amused(vqvae)
    transformer = UVit2DModel(**_TRANSFORMER_OF_TOKENS)
    return Amused(
        vqvae, transformer, torch.randn(1, _TOKENS, _TEXT_WIDTH_OF_TOKENS),
        torch.randn(1, _TEXT_WIDTH_OF_TOKENS), transformer.config.vocab_size - 1)


def _vae_and_unet(
    vae: dict, unet: dict, with_unet: bool, given: Mapping[str, Mapping]
) -> tuple[AutoencoderKL, UNet2DConditionModel | None, int]:
    """Networks of random numbers, and the width of the text."""
    torch.manual_seed(0)  # two models of a comparison get the same
    settings = {**unet, **given.get('unet', {})}
    built_vae = AutoencoderKL(**{**vae, **given.get('vae', {})})
    built_unet = None
    if with_unet:
        built_unet = UNet2DConditionModel(**settings, class_embed_type='identity')
    return built_vae, built_unet, settings['cross_attention_dim']


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
