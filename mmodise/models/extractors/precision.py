"""What frozen networks compute in, and how their memory is laid out."""

import torch
from torch import nn

from ..frozen import FrozenNetworks
from ..int8 import is_quantized, quantize
from .precise_group_norm import PreciseGroupNorm

DTYPES = ('float32', 'bfloat16', 'float16', 'float64', 'int8')
LARGE = 256  #: Side of images whose networks gain from another order in memory.


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


def cast(network: nn.Module, dtype: str) -> None:
    """Change the precision of a network.

    In 'int8' its layers multiply in int8 where they can, see :func:`quantize`, and all else is in
    float32.

    Args:
        network (Module): It is changed.
        dtype (str): One of :data:`DTYPES`.
    """
    floating = torch.float32 if dtype == 'int8' else getattr(torch, dtype)
    nn.Module.to(network, dtype=floating)  # diffusers' own warns of every cast
    if dtype == 'int8':
        quantize(network)


def lay_out(channels_last: bool | None, image_size: int, frozen: FrozenNetworks) -> None:
    """Choose the order of weights in memory, on the device where networks are.

    Args:
        channels_last (bool, optional): Whether the channels of a pixel lie together. None: where
            that is faster, for images of :data:`LARGE` pixels and more: of networks that compute
            in 16 bit, and of autoencoders on a CPU.
        image_size (int): Side of the images.
        frozen (FrozenNetworks): They are changed, and told whether they are ``in_channels_last``,
            as layers in int8 are by themselves.
    """
    frozen.in_channels_last = False
    for network in frozen.networks():
        weight = next(network.parameters())
        faster = image_size >= LARGE and (weight.dtype.itemsize == 2 or (
            weight.device.type == 'cpu' and hasattr(network, 'encoder')))
        last = faster if channels_last is None else channels_last
        nn.Module.to(network, memory_format=(
            torch.channels_last if last else torch.contiguous_format))
        if last:
            PreciseGroupNorm.replace_in(network)
        frozen.in_channels_last |= last or is_quantized(network)
