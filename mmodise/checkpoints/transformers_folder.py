"""A network as a folder in transformers' layout, local or on the hub."""

import os

import torch
from torch import nn
from transformers import PretrainedConfig

from ..weights import locate
from .diffusers_folder import DiffusersFolder
from .finite import check_finite

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

    Args:
        source (str): A local folder, or a name on the hub.
        kind (type): A class of transformers.
        dtype (dtype): What its weights become.

    Raises:
        FileNotFoundError: If files are missing, or are no weights.
        ValueError: If weights are missing, or hold nan or infinity.
    """
    source = locate(source)
    part = '.' if os.path.isdir(source) else ''
    network = DiffusersFolder(source, {part: kind}).load(part)
    check_finite(network.state_dict().items())
    return network.to(dtype)


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


def _listing(folder: str) -> str:
    return ', '.join(sorted(os.listdir(folder))) or 'no files'
