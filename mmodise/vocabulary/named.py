"""Vocabularies with a name: the classes of data sets."""

from __future__ import annotations

import difflib
from functools import lru_cache, reduce
from importlib.resources import files

from .names import ClassNames
from .parsing import read_text
from .structures import Classes, sort_out

_FOLDER = files(__package__).joinpath('named')
#: The name of all named vocabularies together.
EVERYTHING = 'everything'
_FIRST = ('coco', 'ade20k')


@lru_cache
def vocabulary_names() -> tuple[str, ...]:
    """The names of all named vocabularies."""
    return tuple(sorted(
        file.name.removesuffix('.txt') for file in _FOLDER.iterdir()
        if file.name.endswith('.txt')))


def is_named(text: str) -> bool:
    """Whether a text is meant as a name, or a sum of names: one of its terms is known."""
    known = (*vocabulary_names(), EVERYTHING)
    return any(_plain(term) in known for term in text.split('+'))


def load_named(text: str) -> Classes:
    """The classes of a named vocabulary or of a sum such as ``'coco+lvis'``.

    Raises:
        ValueError: If a name is not known; lists all, and the nearest.
    """
    terms = [_plain(term) for term in text.split('+')]
    return reduce(join, [_everything() if term == EVERYTHING else _load(term) for term in terms])


@lru_cache
def _everything() -> Classes:
    """All named vocabularies; those first whose classes are meant for panoptic segmentation."""
    others = (name for name in vocabulary_names() if name not in _FIRST)
    return reduce(join, map(_load, (*_FIRST, *others)))


@lru_cache
def _load(name: str) -> Classes:
    known = vocabulary_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f' Did you mean {near[0]!r}?' if near else ''
        raise ValueError(
            f'There is no vocabulary named {name!r}.{hint} There are: {", ".join(known)}; and '
            f'{EVERYTHING!r}, all of them.')
    return read_text(_FOLDER.joinpath(f'{name}.txt').read_text(encoding='utf-8'))


def _plain(name: str) -> str:
    return name.strip().lower().replace('-', '_').replace(' ', '_')


def join(first: Classes, second: Classes) -> Classes:
    """Classes of one vocabulary followed by the new ones of another.

    Classes with the same displayed name, whatever its case, become one, with the names of both, in
    the first one's place; it is a thing if one of them is. A name that is displayed for one class
    is no synonym of another any more: they would have equal scores for it.
    """
    joined: dict[str, tuple[ClassNames, bool]] = {}
    for classes in (first, second):
        for kind, is_thing in ((classes.things, True), (classes.stuff, False)):
            for names in kind:
                key = names[0].casefold()
                old, was_thing = joined.get(key, ((), False))
                joined[key] = (_unite(old, names), is_thing or was_thing)
    classes = [
        ((names[0], *(name for name in names[1:] if name.casefold() not in joined)), is_thing)
        for names, is_thing in joined.values()]
    return sort_out(classes)


def _unite(first: ClassNames, second: ClassNames) -> ClassNames:
    """The names of both; those that differ in case only count once."""
    return tuple({name.casefold(): name for name in (*second, *first)}[key] for key in
                 dict.fromkeys(name.casefold() for name in (*first, *second)))
