"""A machine's clock, memory and peak."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from ..utils.cpu_memory import glibc
from .subject import PRECISIONS


def machine() -> str:
    """What it was measured on."""
    gpu = f'{torch.cuda.get_device_name()}, ' if torch.cuda.is_available() else ''
    return (f'{gpu}{os.cpu_count()} CPU cores, {torch.get_num_threads()} threads, '
            f'torch {torch.__version__}.')


class HostMemory:
    """Resident memory of this process, of which Linux notes the peak."""

    def peak(self) -> int:
        """Most bytes since the last reset."""
        status = Path('/proc/self/status').read_text(encoding='ascii')
        return int(status.partition('VmHWM:')[2].split()[0]) * 1024

    def reset(self) -> None:
        """Begin anew."""
        Path('/proc/self/clear_refs').write_text('5', encoding='ascii')

    def tidy(self) -> None:
        """Give back what the C library keeps of what was freed: no part of the next call's need."""
        if (libc := glibc()) is not None:
            libc.malloc_trim(0)


class DeviceMemory:
    """What tensors occupy on a GPU.

    Args:
        device (torch.device): The GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def peak(self) -> int:
        """Most bytes since the last reset."""
        return torch.cuda.max_memory_allocated(self._device)

    def reset(self) -> None:
        """Begin anew."""
        torch.cuda.reset_peak_memory_stats(self._device)

    def tidy(self) -> None:
        """Nothing: what torch keeps of what was freed is not counted."""


def memory_of(device: torch.device) -> HostMemory | DeviceMemory | None:
    """What tells the memory in use; None where the system does not tell."""
    if device.type == 'cuda':
        return DeviceMemory(device)
    memory = HostMemory()
    try:
        memory.reset()
        memory.peak()
    except (OSError, IndexError):
        return None
    return memory


def clock_of(device: torch.device) -> Callable[[], float]:
    """Seconds, with nothing left to do on the device."""
    def clock() -> float:
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
        return time.perf_counter()

    return clock


def meter_of(device: torch.device) -> Callable[[], np.ndarray]:
    """What has been used so far, by all threads of this process.

    It gives seconds; and, where the system tells, seconds of the processor in the program and in
    the system, and minor page faults: pages of memory that the system handed out.
    """
    clock, resource = clock_of(device), _resource()

    def meter() -> np.ndarray:
        seconds = clock()
        if resource is None:
            return np.array([seconds])
        used = resource.getrusage(resource.RUSAGE_SELF)
        return np.array([seconds, used.ru_utime, used.ru_stime, used.ru_minflt])

    return meter


def _resource() -> ModuleType | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource


class MatrixProduct:
    """The machine's peak: what a large matrix product reaches.

    Args:
        device (torch.device): Where.
        precision (str): One of :data:`PRECISIONS`.
        side (int, optional): Rows and columns. Defaults to 3072 (the official figures' size) on the
            CPU, and to 8192 on a GPU.
    """

    def __init__(self, device: torch.device, precision: str, side: int | None = None) -> None:
        self.side = side or (3072 if device.type == 'cpu' else 8192)
        self._device, self._dtype = device, PRECISIONS[precision]
        self._clock = clock_of(device)

    def rate(self, products: int = 3) -> float:
        """Operations a second, over some products after one that is not timed."""
        shape = (self.side, self.side)
        one, other = (torch.rand(shape, device=self._device, dtype=self._dtype) for _ in range(2))
        one @ other
        start = self._clock()
        for _ in range(products):
            one @ other
        return products * 2 * self.side**3 / (self._clock() - start)
