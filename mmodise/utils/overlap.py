"""What is done in a thread while a GPU computes: reading ahead, and seeing to results.

On a CPU everything is done in its turn: the network's threads have all cores, and what takes a core
from one of them lets the others wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

import torch
from mmengine.structures import BaseDataElement

T = TypeVar('T')
_END = object()


def pays_on(device: str | torch.device) -> bool:
    """Whether something is to be done in a thread while a network computes on a device."""
    return torch.device(device).type != 'cpu'


def ahead(items: Iterable[T], device: str | torch.device, size: int = 1) -> Iterator[T]:
    """Take items in a thread before they are asked for, where it pays.

    Args:
        items (Iterable): They are made one after the other. An error is raised when it is the turn
            of the item.
        device (str | device): Where the network computes.
        size (int): How many are made, at most, before they are asked for; none before the first is.
            Defaults to 1.
    """
    if not pays_on(device):
        yield from items
        return
    source, thread = iter(items), ThreadPoolExecutor(1, 'ahead')
    try:
        waiting = deque(thread.submit(next, source, _END) for _ in range(size))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(thread.submit(next, source, _END))
            yield item
    finally:  # who stops before the end need not wait for what is being made
        thread.shutdown(wait=False, cancel_futures=True)


class Behind:
    """Sees to results in a thread, where it pays, in order, while the next ones are computed.

    There are never more than two: the one that is seen to, and the one that is computed. An error
    is raised when the next result comes, or at the end; as a context it waits for the end.

    Args:
        device (str | device): Where the network computes.
    """

    def __init__(self, device: str | torch.device) -> None:
        self._thread = ThreadPoolExecutor(1, 'behind') if pays_on(device) else None
        self._running: Future | None = None

    def __enter__(self) -> Behind:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is None:
            self.finish()
        elif self._running is not None:  # the error is the caller's
            wait([self._running])

    def __call__(self, do: Callable, *args: object) -> None:
        """Wait until the result before is seen to, then begin with another.

        Args:
            do (Callable): Is called without gradients.
            *args: Its arguments.
        """
        do = torch.no_grad()(do)
        if self._thread is None:
            do(*args)
            return
        self.finish()
        self._running = self._thread.submit(do, *args)

    def finish(self) -> None:
        """Wait until all is seen to."""
        running, self._running = self._running, None
        if running is not None:
            running.result()


def as_they_are(samples: Sequence) -> list:
    """Results as dictionaries, which stay the same if somebody else gets the samples."""
    return [sample.to_dict() if isinstance(sample, BaseDataElement) else sample
            for sample in samples]
