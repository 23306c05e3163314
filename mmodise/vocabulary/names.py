"""What a class may be called."""

from __future__ import annotations

import re
from collections.abc import Iterable

ClassNames = tuple[str, ...]

# byte order marks and spaces of no width, which editors and web pages leave behind
_INVISIBLE = dict.fromkeys(map(ord, '\ufeff\u200b\u2060\u00ad'))

MARKS = '-*•+\u2013—·‣◦●■▪→►✓'  # of the entries of a list

# What shows that something else was taken for a name: a list, a table, a file, an address.
_NO_NAME = (
    (r'[\[\]{}<>|=\\\x00-\x1f\x7f\ufffd]', 'it holds {!r}'),
    (r'\s[.#]\s', 'it holds {!r}'),
    (r'^["\u2018\u201a“”„«`]', 'it starts with {!r}, a quotation mark'),
    (r"^'.*'$", 'quotation marks are around it'),
    (rf'^[{MARKS}](?!\d)|^\?\s', 'it starts with {!r}, the mark of a list'),
    (r'^[-+.,:/_#~?!&%()\s]+$', 'it has no letter'),
    (r'^\d+\s*:\s*[^\W\d]|[^\W\d]\s*:\s*\d+$', 'a number comes with it, {!r}'),
    (r'^(?i:things?|stuff)$', "it is a heading; write '# things' and '# stuff'"),
    (r'&(amp|lt|gt|quot|apos|nbsp|#\d+)\b', 'it holds {!r}, of a web page'),
    (r':$', 'it ends with {!r}, as a key does'),
    (r'^@', 'it starts with {!r}, which names a file'),
    (r'^/[mgt]/\w+$|^n\d{8}$', 'it is an id'),
    (r'^_+(ignore|background)_+$', 'it stands for what has no class'),
    (r'\w+://', 'it is an address'),
    (r'^(\.{0,2}|~)/|\.(?i:txt|json|jsonl|ya?ml|csv|tsv|names|py|safetensors)$',
     'it is the name of a file'),
    (r'^(None|null|NaN|nan)$', 'it stands for no value'),
    (r'^[^()]*\)|\([^()]*$', 'it has one half of a pair of brackets'),
)
_ANY = re.compile('|'.join(f'(?:{pattern})' for pattern, _ in _NO_NAME))


def clean_name(name: str) -> str:
    """A name without invisible characters, with single spaces."""
    return ' '.join(name.translate(_INVISIBLE).split())


def clean_names(names: Iterable) -> ClassNames:
    """The names of a class, each once; what is no string is kept, for the check to show."""
    names = tuple(clean_name(name) if isinstance(name, str) else name for name in names)
    return tuple(name for index, name in enumerate(names) if name not in names[:index])


def is_id(name: object) -> bool:
    """Whether a name is an id of WordNet's or of Google's Knowledge Graph."""
    return re.fullmatch(r'/[mgt]/\w+|n\d{8}', str(name)) is not None


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
        if _ANY.search(name):
            raise ValueError(
                f'Class {index} of the vocabulary is {name!r}, which is no name: '
                f'{_reason(name)}. {ACCEPTED}'
            )


def find_fault(names: Iterable[str]) -> str | None:
    """What keeps strings from being the names of a class, in words; None if nothing does."""
    names = tuple(names)
    if not names:
        return 'there is no name'
    if not all(names):
        return 'a name between two commas is missing'
    fault = next((name for name in names if _ANY.search(name)), None)
    return fault and f'{fault!r} is no name: {_reason(fault)}'


def _reason(name: str) -> str:
    found = ((re.search(pattern, name), reason) for pattern, reason in _NO_NAME)
    return next(reason.format(match.group()) for match, reason in found if match)


ACCEPTED = (
    "Accepted: 'cat, kitten; dog' (semicolons separate classes, commas the names of a class); a "
    "class a line, 'cat, kitten', with or without ids, stuff under a line '# stuff'; lists as "
    'JSON, YAML or Python; a table with a column "name".'
)
