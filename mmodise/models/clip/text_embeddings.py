"""Embeddings of texts, each made once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from threading import Lock

import torch
from torch import Tensor

_FIRST_ROWS = 256


class TextEmbeddings:
    """Embeddings of texts on one device; those not asked for longest are forgotten first.

    A text is a string, or several that have one embedding, as a tuple. Safe in threads. A deep copy
    is an empty one.

    Args:
        max_texts (int): How many are kept; more where a single call asks for more.
    """

    def __init__(self, max_texts: int) -> None:
        self.max_texts = max_texts
        self._lock = Lock()
        self.clear()

    def __deepcopy__(self, memo: dict) -> TextEmbeddings:
        return TextEmbeddings(self.max_texts)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, text: Hashable) -> bool:
        return text in self._rows

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._rows: dict[Hashable, int] = {}  # the text that was asked for last comes last
            self._free: list[int] = []  # rows below `_used` that hold nothing
            self._used = 0
            self._table: Tensor | None = None  # (capacity, D); grows by doubling

    def look_up(
        self, texts: Sequence[Hashable], embed: Callable[[list], Tensor], at_once: int = 256
    ) -> Tensor:
        """Embeddings of texts.

        Args:
            texts (Sequence[Hashable]): N texts, at least one.
            embed (Callable): Embeds M new texts, (M, D).
            at_once (int): How many texts it is given at most. Defaults to 256.

        Returns:
            Tensor: (N, D).
        """
        with self._lock:
            distinct = dict.fromkeys(texts)
            new = []
            for text in distinct:
                if text in self._rows:
                    self._rows[text] = self._rows.pop(text)
                else:
                    new.append(text)
            self._forget(len(self._rows) + len(new) - max(self.max_texts, len(distinct)))
            for start in range(0, len(new), at_once):
                batch = new[start : start + at_once]
                self._keep(batch, embed(batch))
            rows = torch.tensor([self._rows[text] for text in texts], device='cpu')
            return self._table[rows.to(self._table.device, non_blocking=True)]

    def _forget(self, number: int) -> None:
        for text in list(self._rows)[: max(number, 0)]:
            self._free.append(self._rows.pop(text))

    def _keep(self, texts: list[Hashable], embedded: Tensor) -> None:
        fresh = max(len(texts) - len(self._free), 0)
        rows = [*range(self._used, self._used + fresh), *self._free[: len(texts) - fresh]]
        self._grow(self._used + fresh, embedded)
        where = torch.tensor(rows, device='cpu').to(embedded.device, non_blocking=True)
        self._table[where] = embedded
        self._free = self._free[len(texts) - fresh :]
        self._used += fresh
        self._rows.update(zip(texts, rows, strict=True))

    def _grow(self, rows: int, like: Tensor) -> None:
        old = 0 if self._table is None else len(self._table)
        if rows > old:
            first = min(_FIRST_ROWS, self.max_texts)
            table = like.new_empty(max(rows, 2 * old, first), like.shape[1])
            if old:
                table[:old] = self._table
            self._table = table
