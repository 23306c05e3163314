"""A network as a folder in transformers' layout, local or on the hub."""

import os
import re
from collections.abc import Sequence

import torch
from torch import nn
from transformers import PretrainedConfig

from ..weights import locate
from .file_content import what_it_is
from .finite import check_finite

_WEIGHTS = ('model.safetensors', 'pytorch_model.bin')
_PROCESSORS = ('preprocessor_config.json', 'processor_config.json')


def read_model_type(source: str) -> str:
    """The ``model_type`` of a folder's config.json.

    Args:
        source (str): A local folder, or a name on the hub.

    Raises:
        FileNotFoundError: If there is none, or it says none.
    """
    source = locate(source)
    if os.path.isdir(source) and not os.path.isfile(os.path.join(source, 'config.json')):
        raise FileNotFoundError(f'the folder has no config.json; it has {_listing(source)}')
    try:
        config, _ = PretrainedConfig.get_config_dict(source)
    except Exception as error:  # of the hub, of the network, of broken files
        raise FileNotFoundError(f'its config.json cannot be read: {error}') from error
    if not config.get('model_type'):
        raise FileNotFoundError("its config.json has no 'model_type'; is it of another library?")
    return config['model_type']


def load_network(source: str, kind: type, dtype: torch.dtype) -> nn.Module:
    """Load a network with all its weights, on the CPU.

    Where a folder lacks the plain weights and has a variant, such as ``model.fp16.safetensors``,
    the variant is read. Weights are read as weights only.

    Args:
        source (str): A local folder, or a name on the hub.
        kind (type): A class of transformers.
        dtype (dtype): What its weights become.

    Raises:
        FileNotFoundError: If files are missing, or are no weights.
        ValueError: If weights are missing or of another shape, or hold nan or infinity.
    """
    source = locate(source)
    variant = _check_weights(source) if os.path.isdir(source) else None
    try:
        with torch.device('cpu'):
            network, loaded = kind.from_pretrained(
                source, variant=variant, output_loading_info=True)
    except Exception as error:
        raise FileNotFoundError(f'{kind.__name__} cannot be loaded: {error}') from error
    missing = sorted(loaded['missing_keys'])
    reshaped = sorted(map(str, loaded.get('mismatched_keys', ())))
    if missing or reshaped:
        raise ValueError(
            f'the weights are not all there: {len(missing)} are missing and {len(reshaped)} of '
            f'another shape, such as {", ".join([*missing, *reshaped][:3])}')
    check_finite(network.state_dict().items())
    return network.to(dtype).eval()


def check_processor(source: str) -> None:
    """Refuse a folder that does not say how pictures are prepared.

    Raises:
        FileNotFoundError: If it does not.
    """
    source = locate(source)
    if os.path.isdir(source) and not any(
            os.path.isfile(os.path.join(source, name)) for name in _PROCESSORS):
        raise FileNotFoundError(
            f'the folder lacks {" or ".join(_PROCESSORS)}, which say how pictures are prepared; it '
            f'has {_listing(source)}')


def _check_weights(folder: str) -> str | None:
    """The variant that is to be read; None for the plain weights."""
    found = sorted(os.listdir(folder))
    broken = [f'{name} {what}' for name in found if name.endswith(('.safetensors', '.bin'))
              and (what := what_it_is(os.path.join(folder, name)))]
    if broken:
        raise FileNotFoundError('; '.join(broken))
    if any(name in found or f'{name}.index.json' in found for name in _WEIGHTS):
        return None
    variants = _variants(found)
    if len(variants) == 1 or 'fp16' in variants:
        return 'fp16' if 'fp16' in variants else variants[0]
    several = f' of several variants, {", ".join(variants)}' if variants else ''
    raise FileNotFoundError(
        f'the folder has no weights{several}: expected {" or ".join(_WEIGHTS)}; it has '
        f'{_listing(folder)}')


def _variants(found: Sequence[str]) -> list[str]:
    """Variants as transformers names them: whole files, and indices of pieces."""
    pattern = (r'model\.(\w+)\.safetensors|model\.safetensors\.index\.(\w+)\.json|'
               r'pytorch_model\.(\w+)\.bin|pytorch_model\.bin\.index\.(\w+)\.json')
    matches = filter(None, (re.fullmatch(pattern, name) for name in found))
    return sorted({next(filter(None, match.groups())) for match in matches})


def _listing(folder: str) -> str:
    return ', '.join(sorted(os.listdir(folder))) or 'no files'
