"""Loading CLIP from a name, a folder, a file or the hub."""

import difflib
import json
import os
from collections.abc import Mapping

import open_clip
import torch
from torch import nn

from ..weights import locate
from .clip_file import build_clip, load_clip_file, wrong_activation
from .convnext import register_convnext
from .file_content import what_it_is
from .finite import check_finite

_ACCEPTED = (
    "Accepted: a name of open_clip's with `pretrained`, a tag (such as 'ViT-L-14-336-quickgelu' "
    "with 'openai') or a local file of weights; such a file as `model`, with `architecture` unless "
    "it is in OpenAI's format; a local folder with open_clip_config.json and "
    "open_clip_model.safetensors; or a hub id 'hf-hub:ORGANIZATION/NAME'. Tags and hub ids need "
    'network access (HF_HUB_OFFLINE=1 looks only at what was fetched before).')


def clip_origin(
    model: str, pretrained: str | None, precision: str, architecture: Mapping | None
) -> tuple[str, ...]:
    """What a CLIP is made from: equal for arguments that give the same numbers."""
    files = [os.path.realpath(name) if name and os.path.exists(name) else name
             for name in (locate(model), pretrained)]
    return 'CLIP', *files, precision, json.dumps(architecture, sort_keys=True)


def load_clip(
    model: str,
    pretrained: str | None = None,
    precision: str = 'fp32',
    architecture: Mapping | None = None,
) -> tuple[nn.Module, open_clip.SimpleTokenizer]:
    """Load a CLIP, onto the CPU.

    Args:
        model (str): As for :class:`FrozenCLIP`, like the others.
        pretrained (str, optional): A tag or a file.
        precision (str): 'fp32', 'bf16', 'fp16', 'fp64'.
        architecture (Mapping, optional): As open_clip's model configs.

    Returns:
        tuple: The network and its tokenizer.

    Raises:
        RuntimeError: If the weights cannot be loaded, or the activation is not the one that they
            were trained with; says what is accepted.
    """
    model = locate(model)
    try:
        with torch.device('cpu'):
            loaded = 'fp32' if precision == 'fp64' else precision
            network, tokenizer = _load(model, pretrained, loaded, architecture or {})
            check_finite(network.state_dict().items())
            return network.double() if precision == 'fp64' else network, tokenizer
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # of open_clip, of the hub, of the network, of files
        raise RuntimeError(
            f'FrozenCLIP: model={model!r}, pretrained={pretrained!r} cannot be loaded: '
            f'{_why(model) or error}\n{_ACCEPTED}') from error


def _load(
    model: str, pretrained: str | None, precision: str, architecture: Mapping
) -> tuple[nn.Module, open_clip.SimpleTokenizer]:
    if os.path.isfile(model):
        if pretrained is not None:
            raise ValueError('`model` is a file of weights; `pretrained` has nothing to add.')
        return load_clip_file(model, None, precision, architecture)
    name = model.replace('/', '-')
    config = open_clip.get_model_config(name) if name in open_clip.list_models() else {}
    tag = open_clip.get_pretrained_cfg(name, pretrained) if pretrained else {}
    if not tag and os.path.isfile(pretrained or '') and _is_plain(config):
        return load_clip_file(pretrained, name, precision, architecture)
    if architecture:
        raise ValueError(
            '`architecture` goes with a local file of weights; tags, folders and hub ids bring '
            'their own.')
    if tag.get('quick_gelu') and not config.get('quick_gelu'):
        raise ValueError(wrong_activation(f'pretrained={pretrained!r}', name, True))
    if os.path.isdir(model):
        register_convnext(_tower_of_folder(model))
        name = f'local-dir:{model}'
    else:
        name = model
    network = _load_in_place(tag, config, precision) if tag else None
    if network is None:  # weights are drawn at random, which seeds of trainings count on, and read
        network = open_clip.create_model(
            name, pretrained=pretrained, precision=precision, require_pretrained=True)
    return network, open_clip.get_tokenizer(name)


def _load_in_place(tag: Mapping, config: Mapping, precision: str) -> open_clip.CLIP | None:
    """The CLIP of a tag, built around the weights of its file: none are drawn, none copied.

    Args:
        tag (Mapping): What open_clip knows of it.
        config (Mapping): open_clip's model config.
        precision (str): As in :func:`load_clip`.

    Returns:
        CLIP | None: None where open_clip must see to it: it reads other kinds as well, adapts
        weights, and says what is wrong with a file.
    """
    path = open_clip.download_pretrained(tag)
    if not _is_plain(config) or not os.path.isfile(path):
        return None
    try:
        network = build_clip(path, None, precision, {'quick_gelu': False, **config})
    except (KeyError, TypeError, ValueError):
        return None
    network.visual.image_mean, network.visual.image_std = (
        tag.get(name, default) for name, default in (
            ('mean', open_clip.OPENAI_DATASET_MEAN), ('std', open_clip.OPENAI_DATASET_STD)))
    return network


def _is_plain(config: Mapping) -> bool:
    """Whether both towers of a name are open_clip's own, or the image tower is a ConvNeXt."""
    tower = config.get('vision_cfg', {}).get('timm_model_name', 'convnext')
    return bool(config) and tower.startswith('convnext') and not (
        config.get('custom_text') or 'hf_model_name' in config['text_cfg'])


def _tower_of_folder(folder: str) -> str | None:
    """What a folder's config calls its image tower, if that is one of timm's."""
    path = os.path.join(folder, 'open_clip_config.json')
    if not os.path.isfile(path):
        return None
    with open(path, encoding='utf-8') as file:
        return json.load(file).get('model_cfg', {}).get('vision_cfg', {}).get('timm_model_name')


def _why(model: str) -> str | None:
    """What is wrong with a name or a folder; None where open_clip itself knows best."""
    if os.path.isfile(model):
        return None
    if os.path.isdir(model):
        found = sorted(os.listdir(model))
        has_weights = any(name.endswith(('.safetensors', '.bin', '.pth')) for name in found)
        missing = [name for name, there in (
            ('open_clip_config.json', 'open_clip_config.json' in found),
            ('open_clip_model.safetensors', has_weights)) if not there]
        if missing:
            return f'the folder lacks {" and ".join(missing)}; found: {found}.'
        broken = [f'{name} {what}' for name in found if name.endswith(('.safetensors', '.bin'))
                  and (what := what_it_is(os.path.join(model, name)))]
        return f'{broken[0]}.' if broken else None
    known = open_clip.list_models()
    if ':' in model or model.replace('/', '-') in known:
        return None
    near = difflib.get_close_matches(model, known)
    return ('there is no such folder or file, and no such name'
            + (f'; near are {near}.' if near else '.'))
