"""Finding a picture among the names that a file has for pictures."""

from __future__ import annotations

import difflib
import os.path as osp
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Generic, TypeVar

from .picture_masks import MaskFileError

Value = TypeVar('Value')


class PictureNames(Generic[Value]):
    """A table by names of pictures, whatever folders they are in by now.

    A picture is looked for by its name; where the table has none of its ending, by its name without
    the ending; and by the number that its name is. Of several, those whose folders agree with the
    picture's, from the innermost on, are meant; if they cannot be told apart, none is.

    Args:
        values (Iterable): Each name, or number, with its value.
        where (str): The file, for messages.

    Raises:
        MaskFileError: If a name has two values.
    """

    def __init__(self, values: Iterable[tuple[str | int, Value]], where: str) -> None:
        self.where = where
        self._by_key: dict[str | int, list[tuple[tuple[str, ...], Value]]] = defaultdict(list)
        seen = {}
        for name, value in values:
            parts = _parts(name)
            if seen.setdefault(parts, value) is not value:
                raise MaskFileError(
                    f'{where} has masks of the picture {"/".join(map(str, parts))!r} twice. Name '
                    'the file that is meant, or a pattern such as "FOLDER/*_panoptic.json".')
            for key in {parts[-1], _stem(parts[-1])}:
                self._by_key[key].append((parts, value))
        self._names = list(seen)

    def find(self, path: str) -> Value | None:
        """The value of a picture; None if the table does not have it.

        Raises:
            MaskFileError: If several names may be meant.
        """
        parts = _parts(path)
        candidates = self._candidates(parts[-1])
        if not candidates:
            return None
        shared = [_shared_end(parts, other) for other, _ in candidates]
        best = [candidate for candidate, number in zip(candidates, shared, strict=True)
                if number == max(shared)]
        if len(best) > 1:
            names = ' and '.join(repr('/'.join(map(str, other))) for other, _ in best[:3])
            raise MaskFileError(
                f'{path}: {self.where} has {len(best)} pictures of this name, {names}, and the '
                'folders do not tell which is meant. Keep pictures in folders of those names.')
        return best[0][1]

    def near(self, path: str) -> list[str]:
        """Some names that look like one that is not there, or else the first ones."""
        names = {str(parts[-1]): '/'.join(map(str, parts)) for parts in self._names}
        found = difflib.get_close_matches(_parts(path)[-1], names, n=3) or [*names][:3]
        return [names[name] for name in found]

    def _candidates(self, name: str) -> list[tuple[tuple[str, ...], Value]]:
        same = [found for found in self._by_key.get(name, ()) if found[0][-1] == name]
        stem = _stem(name)
        if same or (found := self._by_key.get(stem)):
            return same or found
        return self._by_key.get(int(stem), []) if stem.isdecimal() else []


def _parts(name: str | int) -> tuple:
    if isinstance(name, int):
        return (name, )
    parts = tuple(part for part in re.split(r'[/\\]', name) if part not in ('', '.'))
    return parts or (name, )


def _stem(name: str | int) -> str | int:
    return osp.splitext(name)[0] if isinstance(name, str) else name


def _shared_end(one: tuple, other: tuple) -> int:
    """How many parts agree, from the last folder outwards; names do already."""
    number = 0
    for a, b in zip(one[-2::-1], other[-2::-1]):  # noqa: B905  of different lengths
        if a != b:
            break
        number += 1
    return number
