"""Pictures that visitors of a page have open."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from ..session import Session
from .answer import Answer


@dataclass
class OpenPicture:
    """A picture of a visitor, and the last answer about it.

    Args:
        path (str): The file that it came in.
        session (Session): The picture, after the networks.
        opened (float): When, by the clock of :class:`OpenPictures`.
        answer (Answer, optional): The last answer.
    """

    path: str
    session: Session
    opened: float
    answer: Answer | None = None


class OpenPictures:
    """Keeps one open picture per visitor: few of them, and none for long. Safe in threads.

    Args:
        max_count (int): How many; the one that was not asked for the longest goes.
        max_age (float): Seconds that a picture is kept from when it was opened.
        clock (Callable): Seconds. Defaults to :func:`time.monotonic`.
    """

    def __init__(
        self, max_count: int, max_age: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.max_count, self.max_age, self._clock = max_count, max_age, clock
        self._pictures: OrderedDict[str, OpenPicture] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._pictures)

    def put(self, visitor: str, path: str, session: Session) -> OpenPicture:
        """Keep a picture in place of the one that the visitor had."""
        picture = OpenPicture(path, session, self._clock())
        with self._lock:
            self._pictures[visitor] = picture
            self._pictures.move_to_end(visitor)
            while len(self._pictures) > self.max_count:
                self._pictures.popitem(last=False)
        self.expire()
        return picture

    def get(self, visitor: str) -> OpenPicture | None:
        """The visitor's picture; None if there is none any more."""
        self.expire()
        with self._lock:
            if visitor in self._pictures:
                self._pictures.move_to_end(visitor)
            return self._pictures.get(visitor)

    def drop(self, visitor: str) -> None:
        """Forget a visitor."""
        with self._lock:
            self._pictures.pop(visitor, None)

    def expire(self) -> None:
        """Forget what is too old."""
        oldest = self._clock() - self.max_age
        with self._lock:
            for visitor in [v for v, p in self._pictures.items() if p.opened <= oldest]:
                del self._pictures[visitor]
