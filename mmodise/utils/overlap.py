"""What is done in a thread while the network computes: reading ahead, and seeing to results.

The network's operators let other threads run, on a GPU all the time.
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


def ahead(items: Iterable[T], size: int = 1) -> Iterator[T]:
    """Take items in a thread before they are asked for.

    Args:
        items (Iterable): They are made in the thread, one after the other. An error is raised when
            it is the turn of the item.
        size (int): How many are made, at most, before they are asked for; none before the first is.
            Defaults to 1.
    """
    source, thread = iter(items), ThreadPoolExecutor(1, 'ahead')
    try:
        waiting = deque(thread.submit(next, source, _END) for _ in range(size))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(thread.submit(next, source, _END))
            yield item
    finally:  # who stops before the end need not wait for what is being made
        thread.shutdown(wait=False, cancel_futures=True)


class Behind:
    """Sees to results in a thread, in their order, while the next ones are computed.

    There are never more than two: the one that is seen to, and the one that is computed. An error
    is raised when the next result comes, or at the end; as a context it waits for the end.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, 'behind')
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
            do (Callable): Is called in the thread, without gradients.
            *args: Its arguments.
        """
        self.finish()
        self._running = self._thread.submit(torch.no_grad()(do), *args)

    def finish(self) -> None:
        """Wait until all is seen to."""
        running, self._running = self._running, None
        if running is not None:
            running.result()


def as_they_are(samples: Sequence) -> list:
    """Results as dictionaries, which stay the same if somebody else gets the samples."""
    return [sample.to_dict() if isinstance(sample, BaseDataElement) else sample
            for sample in samples]
