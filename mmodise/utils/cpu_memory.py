"""Memory of a CPU that is kept for the next tensor, in place of given back and asked for again."""

import ctypes
import sys
from pathlib import Path

#: Bytes that must be available: keeping takes up to 1.7 times as much as giving back.
ENOUGH = 16 * 2**30
# glibc's numbers of settings (malloc.h), what it starts with, and where it ends by itself
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_GLIBC = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 * 2**20, _TRIM_THRESHOLD: 64 * 2**20}
# no limit in bytes could be given that is more than 2 GiB: mallopt takes an int
_KEPT = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1}
_STATE = dict(is_kept=False)
_LIMITS = '/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'


def keep_memory(keep: bool = True) -> bool:
    """Let the C library keep the memory of large tensors that are freed, in the whole process.

    By itself glibc asks the system for every tensor of more than 32 MiB, which hands it out page by
    page, and gives it back. Nothing is done where less than :data:`ENOUGH` is available, or with
    another C library.

    Args:
        keep (bool): False: as glibc does by itself, with what was kept given back. Defaults to
            True.

    Returns:
        bool: Whether something was done.
    """
    libc = glibc()
    if libc is None or (keep and available_memory() < ENOUGH):
        return False
    done = switch_keeping(keep)
    if not keep:
        libc.malloc_trim(0)
    return done


def switch_keeping(keep: bool) -> bool:
    """As :func:`keep_memory`, however much is available, and nothing is given back now."""
    libc = glibc()
    if libc is None:
        return False
    _STATE['is_kept'] = keep
    settings = _KEPT if keep else _GLIBC
    return all(libc.mallopt(number, value) for number, value in settings.items())


def is_kept() -> bool:
    """Whether memory is kept now, as far as it was switched here."""
    return _STATE['is_kept']


def available_memory() -> int:
    """Bytes that this process may take; 0 where the system does not tell."""
    try:
        lines = dict(line.split(':') for line in Path('/proc/meminfo').read_text().splitlines())
        available = int(lines['MemAvailable'].split()[0]) * 1024
    except (OSError, KeyError):
        return 0
    for path in map(Path, _LIMITS):  # of a container
        if path.is_file() and (limit := path.read_text().strip()).isdigit():
            available = min(available, int(limit))
    return available


def glibc() -> ctypes.CDLL | None:
    """The C library, if it is glibc."""
    if not sys.platform.startswith('linux'):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, 'gnu_get_libc_version') else None
