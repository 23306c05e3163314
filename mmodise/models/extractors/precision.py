"""What frozen networks compute in, and how their memory is laid out."""

import torch
from torch import nn

from ..int8 import quantize

DTYPES = ('float32', 'bfloat16', 'float16', 'float64', 'int8')


def check_dtype(dtype: str) -> None:
    """Refuse a precision that networks cannot compute in.

    Raises:
        ValueError: Lists those that they can.
    """
    if dtype not in DTYPES:
        raise ValueError(f'dtype={dtype!r}; give one of {", ".join(DTYPES)}')


def wide(dtype: str) -> torch.dtype:
    """What noise is added in: float32 or better.

    Args:
        dtype (str): What the networks compute in.
    """
    return torch.float64 if dtype == 'float64' else torch.float32


def cast(network: nn.Module, dtype: str, channels_last: bool = False) -> None:
    """Change the precision of a network, and the order of its weights in memory.

    In 'int8' its layers multiply in int8 where they can, see :func:`quantize`, and all else is in
    float32.

    Args:
        network (Module): It is changed.
        dtype (str): One of :data:`DTYPES`.
        channels_last (bool): Whether the channels of a pixel lie together. Defaults to False.
    """
    floating = torch.float32 if dtype == 'int8' else getattr(torch, dtype)
    nn.Module.to(  # diffusers' own warns of every cast
        network, dtype=floating,
        memory_format=torch.channels_last if channels_last else torch.preserve_format)
    if dtype == 'int8':
        quantize(network)
