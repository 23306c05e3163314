"""When one process of a distributed run fails, all of them stop, and say why."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from mmengine.dist import get_rank, get_world_size
from torch import distributed as dist

_FAILURE, _INFORMED = 'failure', 'informed'
_INTERVAL = 1.0  # seconds between two looks at the store
_PATIENCE = 10.0  # seconds that the others are given to look


@contextmanager
def failing_together() -> Iterator[None]:
    """Stop all processes of a run when one raises inside.

    Otherwise the others would wait for it in their next exchange until that times out, after half
    an hour. Not every launcher ends them, and a GPU that waits cannot be interrupted. The process
    that fails leaves its error in the run's store, which a thread of each process looks at; each
    prints it and exits with code 1. Without other processes errors pass as ever.
    """
    if get_world_size() == 1:
        yield
        return
    store, done = _connect(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(store, done), daemon=True)
    watcher.start()
    try:
        yield
    except BaseException as error:
        if isinstance(error, SystemExit) and not error.code:
            raise
        done.set()
        if not isinstance(error, SystemExit):
            traceback.print_exc()
        elif isinstance(error.code, str):  # a sentence for people
            print(error.code, file=sys.stderr)
        _report(store, ''.join(traceback.format_exception_only(error)).strip())
        _exit(store)
    finally:
        done.set()
        # Python that ends while a thread is in the store's own code is aborted
        watcher.join(_PATIENCE)


def _connect() -> dist.Store:
    """A connection of one's own: the process group's is locked while the process waits on it."""
    try:
        address, port = os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT'])
    except KeyError:  # the processes have met by a file or an address in the config
        store = dist.distributed_c10d._get_default_store()
    else:
        store = dist.TCPStore(address, port, is_master=False, wait_for_workers=False)
    attempt = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')  # of torchrun, in the same store
    return dist.PrefixStore(f'mmodise/{attempt}', store)


def _report(store: dist.Store, error: str) -> None:
    """Leave the error for the others; if one has failed before, it is the cause of this one's."""
    mine = f'Rank {get_rank()} of {get_world_size()}: {error}'
    with suppress(RuntimeError):  # the store is gone with the process that keeps it
        first = store.compare_set(_FAILURE, '', mine).decode()
        if first != mine:
            _tell(first)


def _watch(store: dist.Store, done: threading.Event) -> None:
    """Look for another process's error; returns when this one is done or the store is gone."""
    with suppress(RuntimeError):
        while not done.wait(_INTERVAL):
            if store.check([_FAILURE]):
                _tell(store.get(_FAILURE).decode())
                _exit(store)


def _tell(message: str) -> None:
    print(f'Another process has failed, so this one stops, too.\n{message}', file=sys.stderr)


def _exit(store: dist.Store) -> NoReturn:
    """End the process at once; the one that keeps the store waits until all others know."""
    sys.stdout.flush()
    sys.stderr.flush()
    deadline = time.monotonic() + _PATIENCE
    with suppress(RuntimeError):
        informed = store.add(_INFORMED, 1)
        while get_rank() == 0 and informed < get_world_size() and time.monotonic() < deadline:
            time.sleep(_INTERVAL / 10)
            informed = store.add(_INFORMED, 0)
    os._exit(1)  # what a regular end would wait for may wait for the others
