"""The vocabulary a picture is labelled with: classes, their synonyms, thing or stuff."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ClassNames = tuple[str, ...]
Texts = str | Sequence[str | Sequence[str]]

# Class ids in front of a line, and the class that is none, in OpenSeg's vocabulary files.
_LINE_ID = re.compile(r'^\d+\s*:')
_INVALID_CLASS = 'invalid_class_id'

# 'cat . dog .' and 'cat. dog.', the prompts of mmdet's GLIP and Grounding DINO.
_PERIOD_STYLE = re.compile(r'\s\.\s|\.\s*$')
_PERIOD = re.compile(r'\s*\.(?:\s+|$)')


@dataclass(frozen=True, repr=False)
class Vocabulary:
    """Classes with synonyms, things first, then stuff; immutable and hashable.

    A class is a tuple of names: the first is the one that is displayed, the others are synonyms.
    The index of a class is its place among the things followed by the stuff, which is the label
    that mmdet uses in panoptic results.

    No two classes may have the same displayed name, nor may a thing and stuff. Other names may be
    shared (real vocabularies do, such as "screen" in ADE20K's); such a name counts for all its
    classes alike, and where it fits best the first of them is found. See :attr:`shared_names`.

    Args:
        things: Classes of countable objects.
        stuff: Classes of amorphous regions.

    Raises:
        ValueError: If there is no class, a name is empty or no string, or two classes have the
            same displayed name.
    """

    things: tuple[ClassNames, ...]
    stuff: tuple[ClassNames, ...] = ()

    def __post_init__(self) -> None:
        if not self.classes:
            raise ValueError(
                "The vocabulary is empty. Give at least one class, for example 'cat, kitten; dog'."
            )
        for index, names in enumerate(self.classes):
            _check_names(index, names)
        _check_unique(self.class_names, self.num_things)

    def __repr__(self) -> str:
        shown = ', '.join(self.class_names[:4]) + (', …' if len(self) > 4 else '')
        return f'Vocabulary({self.num_things} things, {self.num_stuff} stuff: {shown})'

    def __len__(self) -> int:
        return len(self.classes)

    @classmethod
    def from_lists(cls, things: Texts, stuff: Texts = ()) -> Vocabulary:
        """Build from one entry a class.

        Args:
            things: Entries are strings, with synonyms after commas, or sequences of names.
            stuff: Likewise.
        """
        return cls(_parse_entries(things), _parse_entries(stuff))

    @classmethod
    def from_string(cls, things: str, stuff: str = '') -> Vocabulary:
        """Build from strings such as ``'black pickup truck, pickup truck; blue sky, sky'``.

        Semicolons separate classes, commas separate the names of a class. One separator too many
        at the end does no harm.
        """
        return cls(_parse_entries(_split(things, ';')), _parse_entries(_split(stuff, ';')))

    @classmethod
    def from_file(cls, things: str | Path, stuff: str | Path | None = None) -> Vocabulary:
        """Build from text files (UTF-8) with a class a line, in the order of the lines.

        A line is ``name,synonym,…``, with or without a leading ``id:`` as in OpenSeg's files. The
        ids are not used. Blank lines, lines that start with ``#`` and the class
        ``invalid_class_id`` are skipped.

        Raises:
            FileNotFoundError: If a file does not exist.
            ValueError: If a file is not UTF-8 or holds no class, or the classes are not valid.
        """
        paths = [Path(path) for path in (things, stuff) if path is not None]
        lists = [_read_lines(path) for path in paths]
        try:
            return cls.from_lists(*lists)
        except ValueError as error:
            raise ValueError(f'{" and ".join(map(str, paths))}: {error}') from error

    @classmethod
    def from_metainfo(cls, metainfo: Mapping) -> Vocabulary:
        """Build from the metainfo of a data set or of a checkpoint (``dataset_meta``).

        Args:
            metainfo: Has ``thing_classes`` and/or ``stuff_classes``, or else ``classes``, all of
                which are then taken as things. Entries as in :meth:`from_lists`.
        """
        things, stuff = metainfo.get('thing_classes'), metainfo.get('stuff_classes')
        if things is None and stuff is None:
            things = metainfo.get('classes')
        if things is None and stuff is None:
            raise ValueError(
                "metainfo names no classes: none of 'thing_classes', 'stuff_classes' and 'classes' "
                f'is set, only {sorted(k for k, v in metainfo.items() if v is not None)}. '
                'Set one of them.'
            )
        return cls.from_texts(things, stuff)

    @classmethod
    def from_texts(cls, text: Texts | None, stuff_text: Texts | None = None) -> Vocabulary:
        """Build from what a data sample carries as ``text`` and ``stuff_text``.

        Args:
            text: Things; None, a sequence as in :meth:`from_lists`, or a string. A string is read
                as in :meth:`from_string`, unless it has no semicolon and is written in the period
                style of mmdet's other open-vocabulary detectors, ``'cat . dog .'``.
            stuff_text: Stuff, likewise.
        """
        return cls(_parse_text(text), _parse_text(stuff_text))

    @cached_property
    def classes(self) -> tuple[ClassNames, ...]:
        """The names of every class, things first."""
        return self.things + self.stuff

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The displayed name of every class."""
        return tuple(names[0] for names in self.classes)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names of all classes in one row."""
        return tuple(name for names in self.classes for name in names)

    @cached_property
    def class_indices(self) -> tuple[int, ...]:
        """The class that each of ``names`` belongs to."""
        return tuple(index for index, names in enumerate(self.classes) for _ in names)

    @property
    def shared_names(self) -> dict[str, tuple[str, ...]]:
        """Names that several classes have, each with the displayed names of these classes."""
        owners: dict[str, list[str]] = {}
        for name, index in zip(self.names, self.class_indices, strict=True):
            owners.setdefault(name, []).append(self.class_names[index])
        return {name: tuple(classes) for name, classes in owners.items() if len(classes) > 1}

    @property
    def num_things(self) -> int:
        """Number of thing classes."""
        return len(self.things)

    @property
    def num_stuff(self) -> int:
        """Number of stuff classes."""
        return len(self.stuff)

    def seen_in(self, training: Vocabulary) -> tuple[bool, ...]:
        """Whether each class has a name that is, character for character, one of ``training``."""
        seen = set(training.names)
        return tuple(not seen.isdisjoint(names) for names in self.classes)


def _check_names(index: int, names: ClassNames) -> None:
    if not names:
        raise ValueError(f'Class {index} of the vocabulary has no name. Name it or remove it.')
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(
                f'Class {index} of the vocabulary, {names!r}, has the name {name!r}. '
                'A name is a string that is not empty.'
            )


def _check_unique(class_names: tuple[str, ...], num_things: int) -> None:
    first_index: dict[str, int] = {}
    for index, name in enumerate(class_names):
        if name in first_index:
            first, second = (
                f'{i} ({"a thing" if i < num_things else "stuff"})'
                for i in (first_index[name], index)
            )
            raise ValueError(
                f'Classes {first} and {second} of the vocabulary (things first, then stuff, from '
                f'0) are both called {name!r}. Rename one, or join them in one class.'
            )
        first_index[name] = index


def _split(text: str, separator: str) -> list[str]:
    """Split and strip; nothing comes after a separator at the very end."""
    parts = [part.strip() for part in text.split(separator)]
    return parts if parts[-1] else parts[:-1]


def _parse_entries(entries: Texts) -> tuple[ClassNames, ...]:
    if isinstance(entries, str):
        raise ValueError(f'Expected a list of classes, but found the string {entries!r}.')
    return tuple(_parse_class(entry) for entry in entries)


def _parse_class(entry: str | Iterable[str]) -> ClassNames:
    names = _split(entry, ',') if isinstance(entry, str) else entry
    names = (' '.join(name.split()) if isinstance(name, str) else name for name in names)
    return tuple(dict.fromkeys(names))  # a synonym given twice counts once


def _parse_text(text: Texts | None) -> tuple[ClassNames, ...]:
    if text is None:
        return ()
    if isinstance(text, str):
        periods = ';' not in text and _PERIOD_STYLE.search(text)
        text = _split(_PERIOD.sub(';', text) if periods else text, ';')
    return _parse_entries(text)


def _read_lines(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(f'The vocabulary file {path} does not exist.')
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(
            f'The vocabulary file {path} is not UTF-8 text ({error}). Save it as UTF-8.'
        ) from error
    lines = [line.strip() for line in lines]
    entries = [_LINE_ID.sub('', line) for line in lines if line and not line.startswith('#')]
    entries = [entry for entry in entries if entry.strip(' ,') != _INVALID_CLASS]
    if not entries:
        raise ValueError(f"The vocabulary file {path} holds no class. Write 'name,synonym' lines.")
    return entries
