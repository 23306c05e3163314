"""Networks of Segment Anything from folders in transformers' layout."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import torch
import transformers
from torch import Tensor

from ...checkpoints.transformers_folder import check_processor, load_network, read_model_type
from ...weights import locate
from ..frozen import FrozenNetworks

#: Classes of transformers by what config.json calls a model, and by what prompts it: points of a
#: grid, or names.
NETWORKS = dict(
    sam=dict(points='SamModel'),
    sam2=dict(points='Sam2Model'),
    sam2_video=dict(points='Sam2Model'),
    sam3=dict(names='Sam3Model'),
    sam3_tracker=dict(points='Sam3TrackerModel'),
    sam3_video=dict(points='Sam3TrackerModel', names='Sam3Model'))
_SINCE = dict(SamModel='4.29', Sam2Model='4.56', Sam3Model='5.0', Sam3TrackerModel='5.0')
_DTYPES = dict(float32=torch.float32, bfloat16=torch.bfloat16, float16=torch.float16)


def load_sam(
    pretrained: str, prompts: str | None, dtype: str
) -> tuple[FrozenNetworks, str]:
    """Load a network with its processor and, for names, its tokenizer; or take what is in use.

    Args:
        pretrained (str): A folder, a name on the hub, or ``mmodise://``.
        prompts (str, optional): 'points' or 'names'. None: points, if the network takes them.
        dtype (str): 'float32', 'bfloat16' or 'float16'.

    Returns:
        tuple: ``network``, ``processor`` and ``tokenizer``; and the prompts.

    Raises:
        FileNotFoundError: If a file is missing, or is no weights.
        ImportError: If the installed transformers is too old.
        ValueError: If the folder is of another kind of network, or weights are missing or broken.
    """
    if dtype not in _DTYPES:
        raise ValueError(f'SAMHead: dtype={dtype!r}; give one of {", ".join(_DTYPES)}.')
    try:
        prompts, kind = _choose(read_model_type(pretrained), prompts)
        source = locate(pretrained)
        where = os.path.realpath(source) if os.path.isdir(source) else source
        origin = 'SAM', where, kind, dtype
        return FrozenNetworks.obtain(
            origin, lambda: _load(origin, source, kind, prompts, _DTYPES[dtype])), prompts
    except (FileNotFoundError, ImportError, ValueError) as error:
        raise type(error)(
            f"SAMHead: pretrained='{pretrained}': {error}\n  Accepted: a local folder in "
            "transformers' layout (config.json, model.safetensors, preprocessor_config.json) of a "
            f'model_type of {", ".join(NETWORKS)}; or its name on the hub, which needs network '
            'access.') from error


def run_processor(processor: Callable, image: Tensor) -> Mapping:
    """Prepare a picture, RGB in [0, 1], (3, H, W)."""
    return processor(
        image, do_rescale=False, input_data_format='channels_first', return_tensors='pt')


def _choose(model_type: str, prompts: str | None) -> tuple[str, str]:
    """The prompts, and the class of transformers that takes them."""
    kinds = NETWORKS.get(model_type)
    if kinds is None:
        raise ValueError(f'it is of a {model_type!r}, which gives no masks here.')
    if prompts is None:
        prompts = next(iter(kinds))
    if prompts not in kinds:
        raise ValueError(
            f'prompts={prompts!r}, but a {model_type!r} takes {" or ".join(kinds)}.')
    return prompts, kinds[prompts]


def _load(
    origin: tuple, source: str, kind: str, prompts: str, dtype: torch.dtype
) -> FrozenNetworks:
    network_class = getattr(transformers, kind, None)
    if network_class is None:
        raise ImportError(
            f'{kind} needs transformers {_SINCE[kind]} or newer; installed is '
            f'{transformers.__version__}.')
    check_processor(source)
    with torch.device('cpu'):  # whatever the default is
        network = load_network(source, network_class, dtype)
        processor, tokenizer = _from_folder(transformers.AutoImageProcessor, source), None
        if prompts == 'names':
            tokenizer = _from_folder(transformers.AutoTokenizer, source)
        _check_square(network, processor)
        return FrozenNetworks(
            origin, network=network, processor=processor, tokenizer=tokenizer)


def _from_folder(kind: type, source: str) -> object:
    try:
        return kind.from_pretrained(source)
    except Exception as error:  # of the hub, of the network, of broken files
        raise FileNotFoundError(f'{kind.__name__} cannot be loaded: {error}') from error


def _check_square(network: object, processor: object) -> None:
    """Refuse a folder that prepares pictures for another network than its own."""
    config = getattr(network.config, 'prompt_encoder_config', network.config)
    pixels = run_processor(processor, torch.zeros(3, 8, 8))['pixel_values']
    found, expected = tuple(pixels.shape[-2:]), (config.image_size, ) * 2
    if found != expected:
        raise ValueError(
            f'its preprocessor_config.json makes pictures of {found[1]} x {found[0]} pixels, and '
            f'its config.json is of a network for {expected[1]} x {expected[0]}.')
