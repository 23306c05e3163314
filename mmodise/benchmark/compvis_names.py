"""Diffusers' networks in the names of CompVis' files, the reverse of diffusers' own converters."""

from __future__ import annotations

import re

from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel

_UNET_LAYERS = {
    'time_embedding.linear_1': 'time_embed.0', 'time_embedding.linear_2': 'time_embed.2',
    'add_embedding.linear_1': 'label_emb.0.0', 'add_embedding.linear_2': 'label_emb.0.2',
    'conv_in': 'input_blocks.0.0', 'conv_norm_out': 'out.0', 'conv_out': 'out.2'}
_RESIDUAL_BLOCK = {
    'norm1': 'in_layers.0', 'conv1': 'in_layers.2', 'time_emb_proj': 'emb_layers.1',
    'norm2': 'out_layers.0', 'conv2': 'out_layers.3', 'conv_shortcut': 'skip_connection'}
_VAE_ATTENTION = {
    'group_norm': 'norm', 'to_q': 'q', 'to_k': 'k', 'to_v': 'v', 'to_out.0': 'proj_out'}


def unet_names(unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """The weights of a UNet with the prefix ``model.diffusion_model``."""
    blocks = unet.config.layers_per_block + 1
    attended = [hasattr(level, 'attentions') for level in unet.up_blocks]

    def rename(name: str) -> str:
        for layer, theirs in _UNET_LAYERS.items():
            if name.startswith(f'{layer}.'):
                return theirs + name.removeprefix(layer)
        if match := re.fullmatch(r'mid_block\.(resnets|attentions)\.(\d)\.(.+)', name):
            is_block = match[1] == 'resnets'
            return f'middle_block.{2 * int(match[2]) + (not is_block)}.{inside(match[3], is_block)}'
        path, level, kind, i, inner = re.fullmatch(
            r'(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.+)', name).groups()
        level, i, side = int(level), int(i), 'input' if path == 'down' else 'output'
        if kind == 'downsamplers':
            return f'input_blocks.{blocks * (level + 1)}.0.op.{inner.removeprefix("conv.")}'
        if kind == 'upsamplers':
            return f'output_blocks.{blocks * (level + 1) - 1}.{1 + attended[level]}.{inner}'
        number = blocks * level + i + (path == 'down')
        is_block = kind == 'resnets'
        return f'{side}_blocks.{number}.{int(not is_block)}.{inside(inner, is_block)}'

    def inside(name: str, is_block: bool) -> str:
        layer, end = name.rsplit('.', 1)
        return f'{_RESIDUAL_BLOCK[layer]}.{end}' if is_block else name

    return {f'model.diffusion_model.{rename(name)}': value
            for name, value in unet.state_dict().items()}


def vae_names(vae: AutoencoderKL) -> dict[str, Tensor]:
    """The weights of a VAE with the prefix ``first_stage_model``."""
    last = len(vae.config.block_out_channels) - 1
    weights = {}
    for name, value in vae.state_dict().items():
        renamed = re.sub(r'down_blocks\.(\d)\.resnets', r'down.\1.block', name)
        renamed = re.sub(r'down_blocks\.(\d)\.downsamplers\.0', r'down.\1.downsample', renamed)
        renamed = re.sub(
            r'up_blocks\.(\d)\.resnets', lambda m: f'up.{last - int(m[1])}.block', renamed)
        renamed = re.sub(r'up_blocks\.(\d)\.upsamplers\.0',
                         lambda m: f'up.{last - int(m[1])}.upsample', renamed)
        renamed = re.sub(
            r'mid_block\.resnets\.(\d)', lambda m: f'mid.block_{int(m[1]) + 1}', renamed)
        renamed = renamed.replace('conv_shortcut', 'nin_shortcut')
        renamed = renamed.replace('conv_norm_out', 'norm_out')
        if match := re.fullmatch(r'(.+)\.mid_block\.attentions\.0\.(.+)\.(\w+)', renamed):
            layer = _VAE_ATTENTION[match[2]]
            renamed = f'{match[1]}.mid.attn_1.{layer}.{match[3]}'
            if value.ndim == 2:  # convolutions of size 1
                value = value[..., None, None]
        weights[f'first_stage_model.{renamed}'] = value
    return weights


def text_encoder_names(encoder: CLIPTextModel, prefix: str) -> dict[str, Tensor]:
    """The weights of a text encoder, in its own names behind a prefix.

    Args:
        encoder (CLIPTextModel): It.
        prefix (str): 'cond_stage_model.' or 'conditioner.embedders.0.'.
    """
    return {f'{prefix}transformer.text_model.{name.removeprefix("text_model.")}': value
            for name, value in encoder.state_dict().items()}
