"""A state dict that takes the place of a UNet's own, such as CleanDIFT's."""

from __future__ import annotations

import os

import huggingface_hub
from diffusers import UNet2DConditionModel
from torch import Tensor

from ..fit import load_fitting
from ..safe_loading import read_weights

# by the width of the text that its cross-attention takes
_VERSIONS = {
    768: 'Stable Diffusion 1.x', 1024: 'Stable Diffusion 2.x', 2048: 'Stable Diffusion XL'}
_TEXT = 'attn2.to_k.weight'


def load_unet_weights(unet: UNet2DConditionModel, path: str) -> None:
    """Replace all weights of a UNet.

    Args:
        unet (UNet2DConditionModel): Gets the weights.
        path (str): A local file, .safetensors, .ckpt or .pt, of weights in diffusers' names; or
            such a file on the hub, ``'OWNER/REPOSITORY/FILE'``, as
            ``'CompVis/cleandift/cleandift_sd21_unet.safetensors'``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is unsafe, broken, holds nan or infinity, or does not fit exactly.
    """
    weights = read_weights(_find(path))
    fit = load_fitting(unet, weights)
    if fit.missing or fit.reshaped or fit.unexpected:
        raise ValueError(
            f'the file does not fit the UNet of `pretrained`: {fit}{_other_version(unet, weights)}')


def _find(path: str) -> str:
    parts = path.split('/')
    if os.path.exists(path) or len(parts) < 3 or not parts[0] or parts[0].startswith(('.', '~')):
        return path
    try:
        return huggingface_hub.hf_hub_download('/'.join(parts[:2]), '/'.join(parts[2:]))
    except Exception as error:  # of the hub or of the network
        raise FileNotFoundError(
            f'there is no such local file, and the hub does not give it: {error}') from error


def _other_version(unet: UNet2DConditionModel, weights: dict[str, Tensor]) -> str:
    """Words for weights in other names, or of another version of Stable Diffusion."""
    if any('diffusion_model.' in name or name.startswith('input_blocks.') for name in weights):
        return ("; it is in CompVis' names: give one in diffusers' names, or the whole model as "
                '`pretrained`')
    widths = [next((value.shape[1] for name, value in of.items() if name.endswith(_TEXT)), None)
              for of in (weights, unet.state_dict())]
    found, expected = (_VERSIONS.get(width, f'a model with text of width {width}')
                       for width in widths)
    if None in widths or found == expected:
        return ''
    return f'; it is of {found}, and `pretrained` of {expected}'
