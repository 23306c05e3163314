"""Free memory on glibc's heap, which no process with one model would have."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from ..utils.cpu_memory import glibc, is_kept, switch_keeping
from ..utils.cpu_products import in_use, onednn_products

_LARGE = 2**25  #: Bytes of a block that glibc would rather get from the system, if none is free.
_LARGEST = 2**32
_IS_MAPPED = 2  # a bit of the word before a block: it is not of the heap, but of its own


@contextmanager
def untuned() -> Iterator[None]:
    """Let the C library and torch do what they do by themselves, whatever a command has tuned.

    It is as in a process with one model: what other models have left on the heap is not used.
    """
    kept, onednn = is_kept(), in_use()
    if kept:
        switch_keeping(False)
    onednn_products(False)
    try:
        with without_large_free_blocks():
            yield
            if kept:  # first, or the blocks would be given back
                switch_keeping(True)
    finally:
        onednn_products(onednn)


@contextmanager
def without_large_free_blocks() -> Iterator[None]:
    """Let large tensors have memory from the system, as in a process with one model.

    The models of a comparison are built in one process, and have their frozen weights in common.
    What those of the second one were, the C library has on its heap, and would make the tensors of
    all calls of it without a page fault. These blocks are taken while the context is open; they are
    not touched, so that they are no part of the resident memory once it is given back.
    """
    blocks = list(_take_blocks())
    try:
        yield
    finally:
        for block in blocks:
            _libc().free(block)


def _take_blocks() -> Iterator[int]:
    libc = _libc()
    if libc is None:
        return
    size = _LARGEST
    while size > _LARGE:
        end = libc.sbrk(0)
        block = libc.malloc(size)
        if block and not is_mapped(block) and libc.sbrk(0) == end:  # it was there
            yield block
            continue
        if block:
            libc.free(block)
        size //= 2


def is_mapped(block: int) -> bool:
    """Whether glibc got a block, an address, from the system for itself alone."""
    return bool(ctypes.c_size_t.from_address(block - ctypes.sizeof(ctypes.c_size_t)).value
                & _IS_MAPPED)


def _libc() -> ctypes.CDLL | None:
    """The C library with the types of what is called here, if it is glibc."""
    libc = glibc()
    if libc is not None:
        libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        libc.sbrk.restype, libc.sbrk.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
        libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]
    return libc
