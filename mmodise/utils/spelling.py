"""Finding the word that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def misspelt(words: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Words that are not known but look like one that is, each with that one.

    Args:
        words: Words that somebody wrote.
        known: Words that have a meaning.
    """
    known = sorted(set(known))
    found = {}
    for word in sorted(set(words).difference(known)):
        near = difflib.get_close_matches(word, known, n=1, cutoff=0.85)
        swapped = [other for other in known if sorted(other) == sorted(word)]  # 'alhpa'
        found.update((word, right) for right in (swapped or near)[:1])
    return found


def refuse_misspelt(where: str, words: Iterable[str], known: Iterable[str]) -> None:
    """Raise if a word looks like a misspelling of a known one.

    Args:
        where: What the message begins with, such as the name of a setting.
        words: Words that somebody wrote.
        known: Words that have a meaning.

    Raises:
        ValueError: Names the words, each with the one that was probably meant.
    """
    found = misspelt(words, known)
    if found:
        raise ValueError(f'{where}: ' + '; '.join(
            f'{word!r} is not known, did you mean {right!r}?' for word, right in found.items()))
