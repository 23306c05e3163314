"""The vocabulary a picture is labelled with: classes, their synonyms, thing or stuff."""

from __future__ import annotations

import logging
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from .captions import read_caption
from .files import read_file
from .named import is_named, join, load_named
from .names import ClassNames, check_names
from .parsing import Texts, read_value
from .structures import Classes, read_entries

# What is no name, but a path: 'classes.txt', 'folder/classes', '@classes'.
_PATH = re.compile(r'@.+|[^;,\n]+\.(txt|json|jsonl|ya?ml|csv|tsv|names)', re.IGNORECASE)


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
            check_names(index, names)
        _check_unique(self.class_names, self.num_things)

    def __repr__(self) -> str:
        shown = ', '.join(
            name if len(name) <= 40 else f'{name[:37]}...' for name in self.class_names[:4])
        shown += ', …' if len(self) > 4 else ''
        return f'Vocabulary({self.num_things} things, {self.num_stuff} stuff: {shown})'

    def __len__(self) -> int:
        return len(self.classes)

    @classmethod
    def read(cls, source: Vocabulary | Texts | Path, stuff: Vocabulary | Texts | Path = '',
             ) -> Vocabulary:
        """Read what a person gives as a vocabulary; the one place where that is found out.

        Args:
            source: A vocabulary; a path, or a string that is one (``'classes.txt'``,
                ``'@classes'``); a name or a sum of names (``'coco'``, ``'ade20k+lvis'``, see
                :meth:`named`); or as in :meth:`from_texts`. Things, where it does not say what is
                stuff.
            stuff: More classes, stuff, likewise.

        Raises:
            FileNotFoundError: If a file does not exist.
            ValueError: If it is not understood, or the classes are not valid.
        """
        return cls._combine(_read(source), _read(stuff), isinstance(source, str | Path))

    @classmethod
    def named(cls, name: str) -> Vocabulary:
        """The classes of a data set, or of several as one.

        Args:
            name: 'ade20k', 'ade20k_847', 'cityscapes', 'coco' (panoptic), 'coco_stuff', 'lvis',
                'mapillary', 'pascal_context' (59), 'voc' (20) or 'voc_21', or a sum such as
                ``'coco+lvis'``. What is in several of them is joined as by ``+``. Or 'everything',
                all of them but 'ade20k_847', which does not tell things from stuff, and 'voc_21',
                whose background has many names. Case, blanks and hyphens do not matter; papers'
                names such as 'A-847' and 'PC-59' are known.

        Raises:
            ValueError: If a name is not known; lists all, and the nearest. If the classes come with
                the data set; says what prepares it.
        """
        classes = load_named(name)
        return cls(classes.things, classes.stuff)

    @classmethod
    def from_caption(cls, caption: str) -> Vocabulary:
        """The nouns of a caption, with what describes them: 'a red ball on grass'.

        Those that a named vocabulary knows as stuff, such as 'green grass' by its last word, are
        stuff, all others things.

        Args:
            caption: English.

        Raises:
            ValueError: If there is no noun in it.
        """
        classes = read_caption(caption)
        return cls(classes.things, classes.stuff)

    def __add__(self, other: Vocabulary) -> Vocabulary:
        """These classes, followed by those of another vocabulary that are new.

        Classes with the same displayed name, whatever its case, become one, with the names of both,
        in the first one's place; it is a thing if one of them is. A name that is displayed for one
        class is no synonym of another any more: they would have equal scores for it.
        """
        if not isinstance(other, Vocabulary):
            return NotImplemented
        classes = join(Classes(self.things, self.stuff), Classes(other.things, other.stuff))
        return Vocabulary(classes.things, classes.stuff)

    @classmethod
    def from_lists(cls, things: Texts, stuff: Texts = ()) -> Vocabulary:
        """Build from one entry a class.

        Args:
            things: Entries are strings, with synonyms after commas, sequences of names, or
                records such as COCO's categories (``name``, ``synonyms``, ``isthing``).
            stuff: Likewise.
        """
        return cls._combine(read_entries(things), read_entries(stuff))

    @classmethod
    def from_string(cls, things: str, stuff: str = '') -> Vocabulary:
        """Build from strings such as ``'black pickup truck, pickup truck; blue sky, sky'``.

        Semicolons separate classes, commas the names of a class. One separator too many at the end
        does no harm. A name with a comma stands in quotation marks. Other notations are read as in
        a file, see :meth:`from_file`.
        """
        return cls._combine(read_value(things), read_value(stuff), is_text=True)

    @classmethod
    def from_file(cls, things: str | Path, stuff: str | Path | None = None) -> Vocabulary:
        """Build from files, in the order of what they hold.

        The usual form is a class a line, ``name,synonym,…``, with or without a leading ``id:`` as
        in OpenSeg's files. Lines after ``# stuff`` are stuff, those after ``# things`` things;
        other lines that start with ``#`` are comments. The ids are not used, and the class
        ``invalid_class_id`` is skipped.

        Told apart by content, not by ending, these are read as well: lists and mappings in JSON,
        YAML and Python (``["cat", ["dog", "puppy"]]``, ``names:`` of a ``data.yaml``, the
        categories of an annotation file); tables with the title ``name``, and perhaps
        ``synonyms`` and ``isthing``; columns with tabs; numbered lines; one line with semicolons,
        or of the form ``cat . dog .``. What is none of these is refused.

        Args:
            things: A file (UTF-8, or with a byte order mark).
            stuff: A file with stuff alone.

        Raises:
            FileNotFoundError: If a file does not exist.
            ValueError: If a file is no such text or holds no class, or the classes are not valid.
        """
        paths = [Path(path) for path in (things, stuff) if path is not None]
        files = [read_file(path) for path in paths]
        try:
            return cls._combine(files[0], files[1] if stuff is not None else Classes(), True)
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
    def from_texts(cls, text: Vocabulary | Texts | None,
                   stuff_text: Texts | None = None) -> Vocabulary:
        """Build from what a data sample carries as ``text`` and ``stuff_text``.

        Args:
            text: Things; a vocabulary, None, a sequence as in :meth:`from_lists`, or a string. A
                string is read as in :meth:`from_string`, unless it has no semicolon and is written
                in the period style of mmdet's other open-vocabulary detectors,
                ``'cat . dog .'``.
            stuff_text: Stuff, likewise.
        """
        if isinstance(text, Vocabulary) and stuff_text is None:
            return text
        if _is_constant(text) and _is_constant(stuff_text):
            return _from_constants(text, stuff_text)
        return cls._combine(_read_text(text), _read_text(stuff_text))

    @classmethod
    def _combine(cls, things: Classes, stuff: Classes, is_text: bool = False) -> Vocabulary:
        both = things.and_stuff(stuff)
        vocabulary = cls(both.things, both.stuff)
        alone = len(both.things) < 2 and len(both.stuff) < 2
        if is_text and alone and all(len(names) > 1 for names in vocabulary.classes):
            logging.getLogger(__name__).warning(
                'The vocabulary is %s. Semicolons separate classes, commas the names of a class: '
                "'cat, kitten; dog'.", ' and '.join(
                    f'one class with the names {", ".join(names)}'
                    for names in vocabulary.classes))
        return vocabulary

    def to_metainfo(self) -> dict[str, tuple[str | ClassNames, ...]]:
        """The classes as a data set's metainfo holds them; :meth:`from_metainfo` reads them."""
        return dict(thing_classes=tuple(map(_write_names, self.things)),
                    stuff_classes=tuple(map(_write_names, self.stuff)))

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

    def equal_names(self, keys: Sequence[Hashable]) -> list[tuple[str, ...]]:
        """Groups of unlike names of different classes that something else cannot tell apart.

        Args:
            keys: What stands for each of ``names`` there, such as its tokens.
        """
        groups: dict[Hashable, dict[str, int]] = {}
        for name, index, key in zip(self.names, self.class_indices, keys, strict=True):
            groups.setdefault(key, {}).setdefault(name, index)
        return [tuple(group) for group in groups.values() if len(set(group.values())) > 1]

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


def _is_constant(text: object) -> bool:
    return text is None or isinstance(text, str) or (
        isinstance(text, tuple) and all(map(_is_constant, text)))


@lru_cache(maxsize=256)
def _from_constants(text: Hashable, stuff_text: Hashable) -> Vocabulary:
    """Parse texts and tuples once: the samples of a data set carry the same."""
    return Vocabulary._combine(
        _read_text(text), _read_text(stuff_text), isinstance(text or stuff_text, str))


def _read(source: Vocabulary | Texts | Path) -> Classes:
    if isinstance(source, Path):
        return read_file(source)
    if isinstance(source, str):
        source = source.strip()
        if _PATH.fullmatch(source):
            return read_file(source.removeprefix('@'))
        if is_named(source):
            return load_named(source)
    return _read_text(source)


def _read_text(text: Vocabulary | Texts | None) -> Classes:
    if isinstance(text, Vocabulary):
        return Classes(text.things, text.stuff, True)
    return read_value(text)


def _write_names(names: ClassNames) -> str | ClassNames:
    """One string of the names of a class, if none of them holds what separates names."""
    return names if any(re.search('[,;"]', name) for name in names) else ', '.join(names)
