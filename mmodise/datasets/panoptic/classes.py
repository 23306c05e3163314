"""The classes of a metainfo, and which category of an annotation file is which of them."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import NamedTuple

from ...vocabulary import Vocabulary
from .entries import read_flag, some
from .findings import Findings

_MANY_PAIRS = 1_000_000  # of names; comparing more letter by letter takes too long
_THINGS_FIRST = "Labels are places in 'classes': list the things first, then the stuff."


class ClassMatch(NamedTuple):
    """Labels of the categories of an annotation file.

    Args:
        labels (dict[Hashable, int]): Of each category that is a class, by the category's id.
        category_ids (tuple[Hashable | None]): The way back: of each class; None where the file
            has no such category.
    """

    labels: dict[Hashable, int]
    category_ids: tuple[Hashable | None, ...]


def check_classes(metainfo: Mapping) -> tuple[str, ...]:
    """Check ``classes``, and that ``thing_classes`` and ``stuff_classes`` are of the same classes.

    Args:
        metainfo (Mapping): ``classes``, names that are displayed and found in annotation files,
            things first; and perhaps ``thing_classes`` and ``stuff_classes``, each of which may
            hold synonyms, ``'name, synonym, ...'``.

    Returns:
        tuple[str]: The classes.

    Raises:
        ValueError: If one of them is a text or double, or if the order or the number of things and
            stuff is not that of ``classes``.
    """
    classes = metainfo.get('classes') or ()
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        raise ValueError(f'metainfo.classes={classes!r}: expected a list of texts; a tuple of one '
                         "needs a comma, ('name', ).")
    if not classes:
        raise ValueError("The metainfo has no 'classes'.")
    counts = Counter(name.strip() for name in classes)
    double = [name for name, count in counts.items() if count > 1]
    if double:
        raise ValueError(f'metainfo.classes has names more than once: {some(double)}. A label is '
                         'the place of one class.')
    if metainfo.get('thing_classes') is not None:
        _check_parts(tuple(classes), _entries(metainfo['thing_classes']),
                     _entries(metainfo.get('stuff_classes')))
    return tuple(classes)


def thing_classes(metainfo: Mapping) -> tuple[str, ...]:
    """Displayed names of the things: the first of ``classes``; all, if nothing says otherwise.

    Args:
        metainfo (Mapping): As for :func:`check_classes`.
    """
    classes = tuple(metainfo['classes'])
    things = _entries(metainfo.get('thing_classes'))
    return classes if things is None else classes[:len(things)]


def complete_metainfo(metainfo: Mapping, categories: Sequence[Mapping], path: str) -> dict:
    """Say which classes are things, where the metainfo does not, as the annotation file does.

    Args:
        metainfo (Mapping): ``classes``, and perhaps ``thing_classes`` or ``stuff_classes``.
        categories (Sequence[Mapping]): Of an annotation file, perhaps with ``isthing``.
        path (str): The file.

    Returns:
        dict: The metainfo with ``thing_classes`` and ``stuff_classes``.

    Raises:
        ValueError: If the file does not say it either, or things are not the first of the classes.
    """
    classes = tuple(metainfo['classes'])
    if metainfo.get('thing_classes') is not None:
        stuff = metainfo.get('stuff_classes')
        return dict(metainfo, stuff_classes=(
            classes[len(thing_classes(metainfo)):] if stuff is None else stuff))
    flags = {c['name'].strip(): read_flag(c.get('isthing')) for c in categories}
    unsaid = [name for name in classes if flags.get(name.strip()) is None]
    if unsaid:
        raise ValueError(
            f'What of {some(unsaid)} is a thing and what is stuff is neither in the metainfo nor, '
            f"as 'isthing', 0 or 1, in the categories of {path}. Give the metainfo thing_classes "
            f'and stuff_classes. {_THINGS_FIRST}')
    things = tuple(name for name in classes if flags[name.strip()])
    if things != classes[:len(things)]:
        raise ValueError(f'By the categories of {path}, {some(things)} are things, which are not '
                         f'the first of metainfo.classes, {some(classes)}. {_THINGS_FIRST}')
    return dict(metainfo, thing_classes=things, stuff_classes=classes[len(things):])


def match_classes(
    classes: Sequence[str],
    categories: Sequence[Mapping],
    findings: Findings,
    uses: Mapping[Hashable, tuple[int, int]] | None = None,
) -> ClassMatch:
    """Find the categories that are classes, by name; blanks around a name do not count.

    A class that only one side has is left out, and told; but if a name of the one side looks like
    one of the other, or none fits, that is an error.

    Args:
        classes (Sequence[str]): Of the metainfo.
        categories (Sequence[Mapping]): Of the annotation file, with ``id`` and ``name``.
        findings (Findings): Of the file; gets errors and warnings.
        uses (Mapping, optional): Of each category that is used, its numbers of segments and of
            images. Defaults to None.
    """
    ids = {category['name'].strip(): category['id'] for category in categories}
    stripped = [name.strip() for name in classes]
    lacking = [name for name in stripped if name not in ids]
    known = set(stripped)
    unknown = [name for name in ids if name not in known]
    match = ClassMatch(
        {ids[name]: label for label, name in enumerate(stripped) if name in ids},
        tuple(map(ids.get, stripped)))
    if not match.labels:
        findings.error(
            f'categories, none of which is a class of the metainfo: {some(ids)}, and the classes '
            f'are {some(classes)}', count=len(ids), advice='Names must be equal, character for '
            'character; a different spelling belongs into thing_classes or stuff_classes.')
        return match
    near = _nearest(lacking, unknown)
    for name, spelling in near.items():
        findings.error(
            'classes of the metainfo that have another name here', f'{name!r} is {spelling!r}',
            "Names must be equal: write 'classes' as in the file; synonyms belong into "
            'thing_classes and stuff_classes.')
    for name in lacking:
        if name not in near:
            findings.warning(f'of {len(classes)} classes of the metainfo are no categories here',
                             repr(name), 'Nothing is annotated as such.')
    for name in unknown:
        if name not in near.values():
            segments, images = (uses or {}).get(ids[name], (0, 0))
            found = f' ({segments} segments in {images} images)' if uses is not None else ''
            findings.warning(f'of {len(ids)} categories are no classes of the metainfo',
                             f'{name!r}{found}', 'They are left out; their pixels are void.')
    return match


def respell(categories: Sequence[Mapping], metainfo: Mapping) -> list[dict]:
    """Categories, called as the metainfo calls them.

    Args:
        categories (Sequence[Mapping]): Of an annotation file, with ``id`` and ``name``.
        metainfo (Mapping): Perhaps with ``spellings``: names that some files of the data set have,
            each with that of its class.
    """
    spellings = metainfo.get('spellings') or {}
    return [dict(category, name=spellings.get(category['name'].strip(), category['name']))
            for category in categories]


def check_known(names: Sequence[str], known: Collection[str], what: str, where: str) -> None:
    """Refuse names that are spelt differently in two places.

    Raises:
        ValueError: If one of ``names`` is not among ``known``; says what and where they are.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        hints = ''.join(f' Did you mean {right!r} by {name!r}?'
                        for name, right in _nearest(unknown, list(known)).items())
        raise ValueError(
            f"The {what} {unknown} of the data set's metainfo are not among the {where}, "
            f'{list(known)}. Names must be equal, character for character.{hints}')


def _entries(classes: str | Sequence | None) -> tuple | None:
    """One entry per class."""
    if isinstance(classes, str):
        return Vocabulary.from_texts(classes).things
    return None if classes is None else tuple(classes)


def _names(entry: str | Mapping | Sequence) -> set[str]:
    """All names of a class, in each of the ways in which a vocabulary may have them."""
    if isinstance(entry, Mapping):
        return {entry.get('name'), *entry.get('synonyms', ())}
    return {name.strip() for name in (entry.split(',') if isinstance(entry, str) else entry)}


def _check_parts(classes: tuple[str, ...], things: tuple, stuff: tuple | None) -> None:
    """Refuse things and stuff that are not the classes, in the same order."""
    entries = things + (stuff or ())
    if len(things) > len(classes) or (stuff is not None and len(entries) != len(classes)):
        raise ValueError(
            f'The metainfo has {len(classes)} classes, {len(things)} thing_classes and '
            f'{"no" if stuff is None else len(stuff)} stuff_classes: things and stuff together '
            f'must be the classes. {_THINGS_FIRST}')
    names = [_names(entry) for entry in entries]
    places = {name: place for place, found in enumerate(names) for name in found}
    for place, name in enumerate(classes[:len(entries)]):
        if name not in names[place] and name in places:
            raise ValueError(
                f'{name!r} is number {place + 1} of metainfo.classes, and number '
                f'{places[name] + 1} of thing_classes and stuff_classes, where number {place + 1} '
                f'is {entries[place]!r}. {_THINGS_FIRST}')


def _nearest(names: Sequence[str], others: Sequence[str]) -> dict[str, str]:
    """Names that were probably meant: the same but for capitals, dashes or a letter or two.

    A list of synonyms looks like each of them. Names that differ in a number are different.
    """
    plain = {_plain(part): other for other in reversed(others)
             for part in (*other.split(','), other)}
    found = {}
    for name in names:
        spellings = [_plain(part) for part in (name, *name.split(','))]
        near = [spelling for spelling in spellings if spelling in plain]
        if not near and len(names) * len(others) < _MANY_PAIRS:
            near = [spelling for spelling in difflib.get_close_matches(
                        spellings[0], plain, n=3, cutoff=0.85)
                    if re.findall(r'\d+', spelling) == re.findall(r'\d+', name)]
        if near:
            found[name] = plain[near[0]]
    return found


def _plain(name: str) -> str:
    name = unicodedata.normalize('NFKC', name).casefold()
    return re.sub(r'[\W_]+', ' ', name).strip() or name
