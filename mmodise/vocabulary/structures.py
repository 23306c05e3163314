"""Classes in lists and mappings, as Python, JSON, YAML and annotation files hold them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from .names import ClassNames, clean_names, is_id

# the class that is none, in OpenSeg's vocabulary files
INVALID = 'invalid_class_id'

THINGS, STUFF = ('things', 'thing', 'thing_classes'), ('stuff', 'stuff_classes')
LISTS = ('names', 'classes', 'class_names', 'labels', 'categories', 'vocabulary', 'id2label',
         'label2id', 'metainfo')
# Columns of tables and keys of records, the one that is shown first.
NAMES = ('display_name', 'displayname', 'readable', 'name', 'names', 'class_name', 'classname',
         'class', 'classes', 'category_name', 'category', 'categories', 'label_name', 'label')
SYNONYMS = ('synonyms', 'synonym', 'aliases', 'alias', 'other_names', 'alternatives')
_IS_THING = ('isthing', 'is_thing', 'hasinstances', 'has_instances', 'instances')
_IS_STUFF = ('isstuff', 'is_stuff', 'stuff')
KINDS = (*_IS_THING, *_IS_STUFF, 'kind', 'type')
_FLAGS = {'1': True, 'true': True, 'yes': True, '0': False, 'false': False, 'no': False}

_NAME = re.compile(
    r'''\s*(?:"((?:[^"]|"")*)"|['`\u2018\u201a“„«]([^'`\u2018\u2019“”»]*)['`\u2018\u2019“”»]'''
    r'|([^,]*?))\s*(,|$)')


class Classes(NamedTuple):
    """Classes that were read; all are things where the source does not say (``explicit``)."""

    things: tuple[ClassNames, ...] = ()
    stuff: tuple[ClassNames, ...] = ()
    explicit: bool = False

    def and_stuff(self, other: Classes) -> Classes:
        """These and what was given as stuff.

        Raises:
            ValueError: If what was given as stuff says itself that it is not.
        """
        if other.explicit and other.things:
            raise ValueError(
                f'{other.things[0][0]!r} was given as stuff, but is a thing where it comes from. '
                'Give both kinds as one vocabulary, or the stuff alone.')
        return Classes(
            self.things, self.stuff + (other.stuff if other.explicit else other.things), True)


def key_name(key: object) -> str:
    """A key or the title of a column, as it is looked up: 'Class Name' is 'class_name'."""
    return re.sub(r'[\s_-]+', '_', str(key).strip(' \t.:').lower())


def split_names(text: str) -> list[str]:
    """Split at commas outside of quotation marks; nothing comes after one at the very end.

    Raises:
        ValueError: If there is a semicolon, which would separate classes.
    """
    names = []
    for match in _NAME.finditer(text):
        *cells, end = match.groups()
        names.append(next(cell for cell in cells if cell is not None).replace('""', '"'))
        if ';' in names[-1]:
            raise ValueError(
                f'{text!r} holds a semicolon, but names one class. Give each class an entry of its '
                'own; or this one as a list of names.')
        if not end:
            break
    return names if names[-1] else names[:-1]


def read_entry(entry: str | Iterable) -> ClassNames:
    """The names of one class: a string with commas, or a sequence of names; perhaps an id first."""
    if not isinstance(entry, str) and not isinstance(entry, Iterable):
        entry = (entry,)
    names = clean_names(split_names(entry) if isinstance(entry, str) else entry)
    return names[1:] if len(names) > 1 and is_id(names[0]) else names


def read_entries(entries: Iterable) -> Classes:
    """Classes out of a list.

    Args:
        entries: Strings, sequences of names, or records such as COCO's categories:
            ``dict(name='cat', synonyms=['kitten'], isthing=1)``.

    Raises:
        ValueError: If it is a string or has no order, or a record cannot be read.
    """
    if isinstance(entries, str):
        raise ValueError(f'Expected a list of classes, but found the string {entries!r}.')
    if isinstance(entries, Set):
        raise ValueError(f'Expected a list of classes, but found a set, {entries!r}: no order.')
    read = [_read_record(entry) if isinstance(entry, Mapping) else (read_entry(entry), None)
            for entry in entries]
    return sort_out([(names, is_thing) for names, is_thing in read if names[:1] != (INVALID,)])


def sort_out(classes: list[tuple[ClassNames, bool | None]]) -> Classes:
    """Put classes, each with whether it is a thing (None: unknown), into things and stuff."""
    unknown = [names for names, is_thing in classes if is_thing is None]
    if unknown and len(unknown) < len(classes):
        raise ValueError(
            f'Of some classes it is said whether they are things or stuff, of {unknown[0]} it is '
            'not. Say it of all, or of none.')
    return Classes(
        tuple(names for names, is_thing in classes if is_thing is not False),
        tuple(names for names, is_thing in classes if is_thing is False),
        not unknown and bool(classes))


def read_mapping(mapping: Mapping) -> Classes:
    """Classes out of a mapping.

    Args:
        mapping: ``things`` and ``stuff`` (or ``thing_classes``, ``stuff_classes``); or one list
            under ``names``, ``classes``, ``categories`` and the like; or ids with names, in the
            order of the ids; or names with ids.

    Raises:
        ValueError: If it is none of these.
    """
    keys = {key_name(key): value for key, value in mapping.items() if value is not None}
    things, stuff = ([keys[key] for key in known if key in keys] for known in (THINGS, STUFF))
    if things or stuff:
        parts = [Classes() if not part else _read_value(part[0]) for part in (things, stuff)]
        return parts[0].and_stuff(parts[1])
    read = {key: _read_value(keys[key]) for key in LISTS if key in keys}
    if len(set(read.values())) > 1:
        raise ValueError(f'The classes under {" and ".join(read)} are not the same. Give one list.')
    classes = next(iter(read.values())) if read else _read_ids(mapping)
    number = str(keys.get('nc', ''))
    if number.isdecimal() and read and int(number) != len(classes.things + classes.stuff):
        raise ValueError(
            f'nc is {number}, but there are {len(classes.things + classes.stuff)} names.')
    return classes


def _read_ids(mapping: Mapping) -> Classes:
    """A mapping without a known key: between ids and names."""
    values = list(mapping.values())
    if all(str(key).strip().isdecimal() for key in mapping):
        return read_entries(mapping[key] for key in sorted(mapping, key=lambda key: int(key)))
    if all(str(value).isdecimal() for value in values):
        return read_entries(sorted(mapping, key=lambda key: int(mapping[key])))
    if all(value in (None, '') for value in values):  # {cat, dog} in YAML
        return read_entries(mapping)
    shown = ', '.join(map(repr, list(mapping)[:5]))
    raise ValueError(
        f'A mapping with the keys {shown} names no classes. Expected: the keys "things" and '
        '"stuff", or "names"; or {"0": "cat"}; or, with synonyms, [["cat", "kitten"], ["dog"]].')


def _read_value(value: object) -> Classes:
    """What stands under a key: a list, a mapping, or one class."""
    if isinstance(value, Mapping):
        return read_mapping(value)
    if not isinstance(value, str):
        return read_entries(value if isinstance(value, Iterable) else (value,))
    if re.search('[,;\n]', value):
        raise ValueError(
            f'The classes {value!r} are one string. Write a list, such as ["cat", "dog"].')
    return read_entries([value] if value.strip() else [])


def _read_record(record: Mapping) -> tuple[ClassNames, bool | None]:
    """The names of one class, and whether it is a thing (None: unknown)."""
    keys = {key_name(key): value for key, value in record.items() if value is not None}
    names = next((keys[key] for key in NAMES if keys.get(key)), None)
    if names is None and len(record) == 1 and str(next(iter(record))).isdecimal():
        names, = record.values()  # {0: 'cat'}
    if names is None:
        raise ValueError(
            f'The entry {dict(record)!r} has no name. Expected the key "name"; there may be '
            '"synonyms" and "isthing".')
    synonyms = next((keys[key] for key in SYNONYMS if keys.get(key)), ())
    return clean_names((*read_entry(names), *read_entry(synonyms))), _is_thing(keys)


def _is_thing(keys: Mapping) -> bool | None:
    for known, thing in ((_IS_THING, True), (_IS_STUFF, False)):
        for key in known:
            if key in keys:
                return _read_flag(key, keys[key]) == thing
    kind = str(keys.get('kind', keys.get('type', ''))).strip().lower().rstrip('s')
    return {'thing': True, 'stuff': False}.get(kind)


def _read_flag(key: str, value: object) -> bool:
    flag = _FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise ValueError(f'{key} is {value!r}, which is neither 1 nor 0.')
    return flag
