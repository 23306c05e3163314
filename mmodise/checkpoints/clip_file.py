"""CLIP from a local file of weights, in open_clip's or OpenAI's format."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

import open_clip
import torch
from mmengine.logging import print_log
from open_clip.transformer import LayerNormFp32
from torch import Tensor

from .convnext import register_convnext
from .filling import build_empty, fill
from .official import CLIP_PREFIX
from .safe_loading import read_weights
from .torchscript_reading import is_torchscript, read_torchscript

# a weight of each kind of image tower: vision transformer, OpenAI's ResNet, ConvNeXt
_TOWERS = {'visual.proj', 'visual.attnpool.c_proj.weight', 'visual.trunk.stem.0.weight'}
# numbers that OpenAI's files have next to the weights
_OPENAI_MARKS = {'input_resolution', 'context_length', 'vocab_size'}
_DTYPES = dict(fp32=torch.float32, fp16=torch.float16, bf16=torch.bfloat16)


def load_clip_file(
    path: str, name: str | None, precision: str, architecture: Mapping
) -> tuple[open_clip.CLIP, open_clip.SimpleTokenizer]:
    """Build a CLIP of a file's weights.

    Args:
        path (str): A state dict (of torch or safetensors), or a TorchScript archive, of which only
            the numbers are read; or a checkpoint of FC-CLIP's that holds its CLIP.
        name (str, optional): open_clip's name of the architecture.
        precision (str): 'fp32', 'bf16', 'fp16'.
        architecture (Mapping): As open_clip's model configs; settings of the name that differ, or
            all of them where there is no name. OpenAI's format needs neither.

    Returns:
        tuple: The network and its tokenizer.

    Raises:
        ValueError: As :func:`build_clip`.
    """
    network = build_clip(path, name, precision, architecture)
    if name:
        return network, open_clip.get_tokenizer(name)
    return network, open_clip.SimpleTokenizer(context_length=network.context_length)


def build_clip(
    path: str, name: str | None, precision: str, architecture: Mapping
) -> open_clip.CLIP:
    """Build the network of :func:`load_clip_file` around the file's weights.

    Args:
        path (str): As there.
        name (str, optional): Likewise.
        precision (str): Likewise.
        architecture (Mapping): Likewise.

    Raises:
        ValueError: If the file cannot be read safely, its weights do not fit, or were trained with
            another activation than the architecture has, or nothing tells with which.
    """
    if precision not in _DTYPES:
        raise ValueError(f'precision={precision!r} is not one of {", ".join(_DTYPES)}.')
    weights, quick_gelu = _read(path)
    config = open_clip.get_model_config(name) if name else {}
    if not name and 'vision_cfg' not in architecture:
        if quick_gelu is None or 'visual.trunk.stem.0.weight' in weights:
            raise ValueError(
                'the file does not tell the number of heads, nor the activation, nor of a ConvNeXt '
                'the size of pictures. Name its '
                'architecture: model=NAME, pretrained=FILE' + _names_of(weights) + ', or give '
                'architecture=dict(embed_dim=, quick_gelu=, vision_cfg=dict(...), '
                "text_cfg=dict(...)), as in open_clip's configs.")
        config = {**_sizes(weights), 'quick_gelu': quick_gelu}
    for key, value in architecture.items():
        config[key] = {**config.get(key, {}), **value} if isinstance(value, Mapping) else value
    if not config['text_cfg'].get('heads', 1):
        raise ValueError(
            'the text tower is too narrow for heads of width 64, as usual, and no file tells '
            'another: set architecture=dict(text_cfg=dict(heads=...)).')
    register_convnext(config['vision_cfg'].get('timm_model_name'))
    network = build_empty(
        open_clip.CLIP, **config, cast_dtype=open_clip.get_cast_dtype(precision))
    fit = fill(network, weights)
    if fit.missing or fit.reshaped or fit.unexpected:
        raise ValueError(f'the weights are not of this architecture: {fit}' + _names_of(weights))
    _check_activation(path, name, architecture, config.get('quick_gelu', False), quick_gelu)
    if precision != 'fp32':
        _lower(network, _DTYPES[precision])
    return network


def _read(path: str) -> tuple[dict[str, Tensor], bool | None]:
    """The weights, and whether they were trained with QuickGELU; None if the file has no word."""
    quick_gelu = None
    if is_torchscript(path):
        weights, class_names = read_torchscript(path)
        # an archive names the classes of its layers
        quick_gelu = 'QuickGELU' in class_names if class_names & {'QuickGELU', 'GELU'} else None
    else:
        weights = read_weights(path)
    if _OPENAI_MARKS & set(weights):
        quick_gelu = True
    weights = clip_part(weights) or weights
    weights = {name.removeprefix('module.'): value for name, value in weights.items()
               if name not in _OPENAI_MARKS and not name.endswith('attn_mask')}
    if 'text_projection' not in weights or not _TOWERS & set(weights):
        raise ValueError(
            'these are not the weights of a CLIP with a vision transformer, a ConvNeXt or one of '
            f"OpenAI's ResNets in open_clip's names; they begin with "
            f'{", ".join(list(weights)[:3])}.')
    return weights, quick_gelu


def clip_part(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The CLIP in a checkpoint of FC-CLIP's, in open_clip's names; empty if it holds none."""
    return {name.removeprefix(CLIP_PREFIX): value for name, value in weights.items()
            if name.startswith(CLIP_PREFIX)}


def _check_activation(
    path: str, name: str | None, architecture: Mapping, built: bool, trained: bool | None
) -> None:
    """Wrong features are not to be had silently: GELU and QuickGELU differ by some percent."""
    if trained is not None and trained != built:
        raise ValueError(wrong_activation(path, name, trained))
    if trained is not None or 'quick_gelu' in architecture:
        return
    if name is None:
        raise ValueError(
            'nothing in the file tells the activation that it was trained with; say it: '
            "architecture=dict(quick_gelu=...), True for OpenAI's weights and what was tuned from "
            'them, else mostly False.')
    base = name.removesuffix('-quickgelu')
    if f'{base}-quickgelu' in open_clip.list_models():
        sure = name != base
        print_log(
            f'FrozenCLIP: nothing in {path} tells with which activation it was trained; {name} is '
            f'built with {"QuickGELU" if built else "GELU"}.' + ('' if sure else
            f" OpenAI's weights, and some others, need '{base}-quickgelu', or their features are "
            'wrong; architecture=dict(quick_gelu=False) says that these do not.'),
            'current', level=logging.INFO if sure else logging.WARNING)


def wrong_activation(weights: str, name: str | None, trained_with_quick_gelu: bool) -> str:
    """What to say where weights and architecture have different activations.

    Args:
        weights (str): What the weights are called.
        name (str, optional): open_clip's name of the architecture.
        trained_with_quick_gelu (bool): What is right for these weights.
    """
    right, wrong = ('QuickGELU', 'GELU') if trained_with_quick_gelu else ('GELU', 'QuickGELU')
    base = (name or '').removesuffix('-quickgelu')
    other = f'{base}-quickgelu' if trained_with_quick_gelu else base
    if other in open_clip.list_models():
        remedy = f"model='{other}'"
    else:
        remedy = f'architecture=dict(quick_gelu={trained_with_quick_gelu})'
    return (
        f'{weights} was trained with {right}, and {name or "the architecture"} is built with '
        f'{wrong}, which would give wrong features without a word; use {remedy}.')


def _sizes(weights: Mapping[str, Tensor]) -> dict:
    """What shapes tell of the architecture; heads are of width 64, as in all that have a name."""
    text_width = weights['ln_final.weight'].shape[0]
    return dict(
        embed_dim=weights['text_projection'].shape[1],
        vision_cfg=_tower_sizes(weights),
        text_cfg=dict(
            context_length=len(weights['positional_embedding']),
            vocab_size=len(weights['token_embedding.weight']), width=text_width,
            heads=text_width // 64, layers=_count(weights, 'transformer.resblocks.')))


def _tower_sizes(weights: Mapping[str, Tensor]) -> dict:
    """The same of the image tower, a vision transformer or a ResNet."""
    if 'visual.proj' not in weights:  # a ResNet
        cells = len(weights['visual.attnpool.positional_embedding']) - 1
        return dict(
            image_size=32 * round(cells**0.5), width=len(weights['visual.conv3.weight']),
            layers=[_count(weights, f'visual.layer{i}.') for i in range(1, 5)], patch_size=None)
    width, _, _, patch = weights['visual.conv1.weight'].shape
    side = round((len(weights['visual.positional_embedding']) - 1) ** 0.5)
    return dict(
        image_size=patch * side, layers=_count(weights, 'visual.transformer.resblocks.'),
        width=width, patch_size=patch)


def _lower(network: open_clip.CLIP, dtype: torch.dtype) -> None:
    """To half precision, as open_clip does it."""
    if not hasattr(network.visual, 'trunk'):
        open_clip.convert_weights_to_lp(network, dtype)
        return
    network.to(dtype)  # timm's towers in one piece
    for module in network.modules():
        if isinstance(module, LayerNormFp32):
            module.float()


def _count(weights: Mapping[str, Tensor], prefix: str) -> int:
    return len({match[1] for name in weights if (match := re.match(rf'{prefix}(\d+)\.', name))})


def _names_of(weights: Mapping[str, Tensor]) -> str:
    """open_clip's names of an architecture of these sizes."""
    try:
        sizes = _sizes(weights)
    except KeyError:
        return ''
    names = []
    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        known = {key: {**sizes[key], **config[key]} for key in ('vision_cfg', 'text_cfg')}
        if sizes == {key: known.get(key, config.get(key)) for key in sizes}:
            names.append(name)
    return f' (open_clip has these sizes as {", ".join(names)})' if names else ''
