"""Meta information of the field's data sets."""

from __future__ import annotations

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
