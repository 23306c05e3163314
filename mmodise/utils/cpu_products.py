"""Matrix products of float32 on processors for which MKL's own are slow."""

from __future__ import annotations

import math
import sys
import warnings
from pathlib import Path

import torch
from torch import Tensor

# of a product that is worth a detour through Python: its multiplications, and its shortest side
_VOLUME, _SIDE = 2**26, 192
_OURS: list[torch.library.Library] = []


def onednn_products(use: bool = True) -> bool:
    """Let oneDNN compute large matrix products of float32 on the CPU, in the whole process.

    torch leaves them to MKL, which uses half the width of AVX-512 on processors that are not
    Intel's; oneDNN, which torch has for convolutions, uses all of it. Both round differently, by
    1e-6 of the largest value. Nothing is done on other processors.

    Args:
        use (bool): False: back to torch's own. Defaults to True.

    Returns:
        bool: Whether oneDNN is used now.
    """
    if not use:
        while _OURS:
            _OURS.pop()._destroy()
    elif not _OURS and mkl_is_slow():
        _OURS.append(library := torch.library.Library('aten', 'IMPL'))
        with warnings.catch_warnings():  # torch's, that it has a kernel already
            warnings.simplefilter('ignore')
            library.impl('mm', _mm, 'CPU')
            library.impl('addmm', _addmm, 'CPU')
    return bool(_OURS)


def mkl_is_slow() -> bool:
    """Whether this is an AMD processor with AVX-512, and torch has both libraries."""
    backends = torch.backends
    if not (sys.platform.startswith('linux') and backends.mkl.is_available()
            and backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, '_linear_pointwise')
            and backends.cpu.get_cpu_capability() == 'AVX512'):
        return False
    try:
        return 'AuthenticAMD' in Path('/proc/cpuinfo').read_text()
    except OSError:
        return False


def _mm(one: Tensor, other: Tensor) -> Tensor:
    if _is_large(one, other):
        return torch.ops.mkldnn._linear_pointwise(one, other.t(), None, 'none', [], '')
    return torch.ops.aten.mm.out(one, other, out=_result(one, other))


def _addmm(
    bias: Tensor, one: Tensor, other: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    if _is_large(one, other) and alpha == beta == 1 and bias.shape == other.shape[1:]:
        return torch.ops.mkldnn._linear_pointwise(
            one, other.t(), bias.contiguous(), 'none', [], '')
    return torch.ops.aten.addmm.out(
        bias, one, other, beta=beta, alpha=alpha, out=_result(one, other))


def _is_large(one: Tensor, other: Tensor) -> bool:
    sides = *one.shape, other.shape[1]
    return (math.prod(sides) >= _VOLUME and min(sides) >= _SIDE
            and one.dtype == other.dtype == torch.float32)


def _result(one: Tensor, other: Tensor) -> Tensor:
    return one.new_empty(one.shape[0], other.shape[1])
