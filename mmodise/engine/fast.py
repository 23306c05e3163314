"""The recommended setting: frozen networks in bfloat16, where it is faster."""

from __future__ import annotations

import logging

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log

from ..models import FeatureExtractor, FrozenCLIP
from .config_check import configs_of

# what a frozen part computes in: the class, its argument, and the names of two precisions
_PRECISIONS = (
    (FeatureExtractor, 'dtype', 'float32', 'bfloat16'), (FrozenCLIP, 'precision', 'fp32', 'bf16'))


def make_fast(cfg: Config, device: str | torch.device | None = None) -> None:
    """Let frozen generators and CLIPs compute in bfloat16, if the device does so by itself.

    What is trained stays in float32, and so do masks and scores. Parts whose precision the config
    sets to something else than float32 are left alone.

    Args:
        cfg (Config): Changed in place.
        device (str | device, optional): Where it will run. Defaults to a GPU if there is one.
    """
    device = torch.device(device or get_device())
    if has_bfloat16(device):
        for kind, key, full, half in _PRECISIONS:
            for part in configs_of(cfg.get('model'), kind, key):
                if part.get(key, full) == full:
                    part[key] = half
    else:
        print_log(f'fast: {device} does not compute in bfloat16 by itself; frozen networks stay in '
                  'float32.', 'current', logging.WARNING)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a processor or a GPU multiplies in bfloat16 by itself, faster than in float32."""
    if device.type == 'cuda':
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(False)
    checks = (getattr(torch.cpu, name, None) for name in (
        '_is_avx512_bf16_supported', '_is_amx_tile_supported'))
    return device.type == 'cpu' and any(check() for check in checks if check)
