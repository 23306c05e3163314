"""Vocabularies with a name: the classes of data sets."""

from __future__ import annotations

import difflib
from functools import lru_cache, reduce
from importlib.resources import files

from .names import ClassNames
from .parsing import read_text
from .structures import Classes, sort_out

_FOLDER = files(__package__).joinpath('named')
#: The name of the vocabularies of data sets together, those that tell things from stuff.
EVERYTHING = 'everything'
_FIRST = ('coco', 'ade20k')
# no part of 'everything': all are things in the one, the other has a background of many names
_APART = ('ade20k_847', 'voc_21')
# as papers call them
_ALIASES = {
    'coco_panoptic': 'coco', 'coco_133': 'coco', 'coco_stuff_171': 'coco_stuff',
    'ade20k_150': 'ade20k', 'a_150': 'ade20k', 'ade20k_full': 'ade20k_847', 'a_847': 'ade20k_847',
    'pascal_context_59': 'pascal_context', 'pc_59': 'pascal_context',
    'pc_459': 'pascal_context_459', 'pascal_voc': 'voc', 'voc_20': 'voc', 'pas_20': 'voc',
    'pas_21': 'voc_21', 'cityscapes_19': 'cityscapes', 'mapillary_65': 'mapillary',
    'mapillary_vistas': 'mapillary', 'lvis_1203': 'lvis', 'open_images_v6': 'open_images'}
# Those whose names are in the data set's own files: what prepares them, and where they are then.
_PREPARED = {
    'pascal_context_459': (
        'prepare_pascal_context', 'data/pascal_ctx_d2/annotations_ctx459/classes.txt'),
    'open_images': ('prepare_open_images', 'data/open_images/classes.txt'),
    'visual_genome': ('prepare_visual_genome', 'data/visual_genome/classes.txt')}


@lru_cache
def vocabulary_names() -> tuple[str, ...]:
    """The names of all vocabularies that come with the package."""
    return tuple(sorted(
        file.name.removesuffix('.txt') for file in _FOLDER.iterdir()
        if file.name.endswith('.txt')))


def is_named(text: str) -> bool:
    """Whether a text is meant as a name, or a sum of names: one of its terms is known."""
    known = (*vocabulary_names(), *_PREPARED, EVERYTHING)
    return any(_plain(term) in known for term in text.split('+'))


def load_named(text: str) -> Classes:
    """The classes of a named vocabulary or of a sum such as ``'coco+lvis'``.

    Raises:
        ValueError: If a name is not known; lists all, and the nearest. If its classes come with the
            data set; says what prepares it.
    """
    terms = [_plain(term) for term in text.split('+')]
    return reduce(join, [_everything() if term == EVERYTHING else _load(term) for term in terms])


@lru_cache
def _everything() -> Classes:
    """Vocabularies as one; those first whose classes are meant for panoptic segmentation."""
    others = (name for name in vocabulary_names() if name not in (*_FIRST, *_APART))
    return reduce(join, map(_load, (*_FIRST, *others)))


@lru_cache
def _load(name: str) -> Classes:
    known = vocabulary_names()
    if name in _PREPARED:
        command, path = _PREPARED[name]
        raise ValueError(
            f'The classes of {name!r} are in the data set\'s own files. Prepare it with `mim run '
            f'mmodise {command} FOLDER`, and give the file that it writes, {path!r}.')
    if name not in known:
        near = difflib.get_close_matches(name, (*known, *_PREPARED), n=1, cutoff=0.4)
        hint = f' Did you mean {near[0]!r}?' if near else ''
        raise ValueError(
            f'There is no vocabulary named {name!r}.{hint} There are: {", ".join(known)}; and '
            f'{EVERYTHING!r}, all of them but {" and ".join(_APART)}. With data sets come: '
            f'{", ".join(_PREPARED)}.')
    return read_text(_FOLDER.joinpath(f'{name}.txt').read_text(encoding='utf-8'))


def _plain(name: str) -> str:
    name = name.strip().lower().replace('-', '_').replace(' ', '_')
    return _ALIASES.get(name, name)


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
