"""Meta information of the field's data sets."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...vocabulary.named import load_named


def benchmark_metainfo(
    things: Sequence[str], stuff: Sequence[str] = (), vocabulary: str | None = None
) -> dict:
    """Meta information of a data set of the field.

    Args:
        things (Sequence[str]): Names of the things as the data set's files have them, in its order.
        stuff (Sequence[str]): Names of the stuff, likewise. Defaults to none.
        vocabulary (str, optional): The named vocabulary with the words that a model gets for these
            classes, in the same order. Defaults to None, the names themselves.

    Returns:
        dict: ``classes`` (names, things first), ``thing_classes`` and ``stuff_classes`` (of each
        class ``'name, synonym, ...'``).

    Raises:
        ValueError: If the vocabulary has another number of things or stuff.
    """
    metainfo = dict(classes=(*things, *stuff), thing_classes=tuple(things),
                    stuff_classes=tuple(stuff))
    if vocabulary is None:
        return metainfo
    words = load_named(vocabulary)
    found, expected = (len(words.things), len(words.stuff)), (len(things), len(stuff))
    if found != expected:
        raise ValueError(f'The vocabulary {vocabulary!r} has {found} things and stuff, and the '
                         f'data set {expected}.')
    return dict(metainfo, thing_classes=tuple(map(', '.join, words.things)),
                stuff_classes=tuple(map(', '.join, words.stuff)))


def semantic_metainfo(names: Sequence[str], vocabulary: str) -> dict:
    """Meta information of a data set with maps of classes only, whose labels keep their order.

    All classes are things, so that no stuff comes before or after them; for mIoU it is the same.

    Args:
        names (Sequence[str]): Names as the data set's files have them, in the order of the labels.
        vocabulary (str): The named vocabulary with the words that a model gets for them: of the
            same names, blanks and commas apart, in any order.

    Raises:
        ValueError: If the vocabulary has no words for a class.
    """
    words = {}
    for kind in load_named(vocabulary)[:2]:
        for entry in kind:
            text = ', '.join(entry)
            words.update(dict.fromkeys((_plain(text), *map(_plain, entry)), text))
    lacking = [name for name in names if _plain(name) not in words]
    if lacking:
        raise ValueError(f'The vocabulary {vocabulary!r} has no words for {lacking}.')
    return dict(classes=tuple(names), stuff_classes=(),
                thing_classes=tuple(words[_plain(name)] for name in names))


def _plain(name: str) -> str:
    return re.sub(r'[\W_]+', '', name.casefold())
