"""What a class may be called."""

from __future__ import annotations

import re
from collections.abc import Iterable

ClassNames = tuple[str, ...]

# byte order marks and spaces of no width, which editors and web pages leave behind
_INVISIBLE = dict.fromkeys(map(ord, '\ufeff\u200b\u2060\u00ad'))

# What shows that something else was taken for a name: a list, a table, a file, an address.
_NO_NAME = (
    (re.compile(r'[\[\]{}<>|=\\;\x00-\x1f\x7f\ufffd]'), 'it holds {!r}'),
    (re.compile(r'^["`“”„«]'), 'it starts with {!r}, a quotation mark'),
    (re.compile(r"^'.*'$"), 'quotation marks are around it'),
    (re.compile(r'^[-*•+\u2013](?=\s)'), 'it starts with {!r}, the mark of a list'),
    (re.compile(r'^[-*•+.,:/_#~]+$'), 'it has no letter'),
    (re.compile(r':$'), 'it ends with {!r}, as a key does'),
    (re.compile(r'^@'), 'it starts with {!r}, which names a file'),
    (re.compile(r'^/[mgt]/\w+$|^n\d{8}$'), 'it is an id'),
    (re.compile(r'\w+://'), 'it is an address'),
    (re.compile(r'\.(txt|json|jsonl|ya?ml|csv|tsv|names|py)$', re.I), 'it is the name of a file'),
)


def clean_name(name: str) -> str:
    """A name without invisible characters, with single spaces."""
    return ' '.join(name.translate(_INVISIBLE).split())


def clean_names(names: Iterable) -> ClassNames:
    """The names of a class, each once; what is no string is kept, for the check to show."""
    names = tuple(clean_name(name) if isinstance(name, str) else name for name in names)
    return tuple(name for index, name in enumerate(names) if name not in names[:index])


def check_names(index: int, names: ClassNames) -> None:
    """Refuse what cannot be the names of a class.

    Args:
        index: The number of the class, for the message.
        names: Its names.

    Raises:
        ValueError: If there are none, or one is empty, no string, or a piece of a list, a table or
            another notation that was taken for a name.
    """
    if not names:
        raise ValueError(f'Class {index} of the vocabulary has no name. Name it or remove it.')
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(
                f'Class {index} of the vocabulary, {names!r}, has the name {name!r}. '
                'A name is a string that is not empty.'
            )
        for pattern, reason in _NO_NAME:
            found = pattern.search(name)
            if found:
                raise ValueError(
                    f'Class {index} of the vocabulary is {name!r}, which is no name: '
                    f'{reason.format(found.group())}. {ACCEPTED}'
                )


ACCEPTED = (
    "Accepted: 'cat, kitten; dog' (semicolons separate classes, commas the names of a class); a "
    "class a line, 'cat, kitten', with or without ids, stuff under a line '# stuff'; lists as "
    'JSON, YAML or Python; a table with a column "name".'
)
