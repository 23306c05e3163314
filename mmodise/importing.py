"""Importing the stack: a quarter faster without the garbage collector."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """A context in which thousands of modules are made, which the collector need not look at.

    It goes through all objects again and again while there are more and more of them. Those that
    were made here it leaves alone afterwards, too: modules stay. But not if torch had been imported
    before: models of somebody else's may then be among the objects, and must not stay.
    """
    collects, fresh = gc.isenabled(), 'torch' not in sys.modules
    gc.disable()
    try:
        yield
        if fresh:
            gc.freeze()
    finally:
        if collects:
            gc.enable()
