"""Classes out of a caption."""

from __future__ import annotations

from functools import lru_cache

from .named import EVERYTHING, load_named
from .structures import Classes


def read_caption(caption: str) -> Classes:
    """The nouns of a caption with their adjectives; known stuff is stuff, the rest are things.

    Args:
        caption: English.

    Raises:
        ValueError: If it is no string, or there is no noun in it.
    """
    if not isinstance(caption, str):
        raise ValueError(f'A caption is a string, not a {type(caption).__name__}.')
    from ..phrases import PhraseExtractor  # which needs more than Python
    # one caption on all machines gives the same classes: not by what is installed
    phrases = PhraseExtractor('builtin')(caption, connected=False)
    if not phrases:
        raise ValueError(
            f'The caption {caption!r} names nothing: no noun was found. Captions are English, such '
            "as 'a dog on green grass'; or give the names themselves, 'dog; grass'.")
    stuff = [phrase for phrase in phrases if _is_stuff(phrase)]
    things = [phrase for phrase in phrases if phrase not in stuff]
    return Classes(tuple((t,) for t in things), tuple((s,) for s in stuff), True)


def _is_stuff(phrase: str) -> bool:
    """Whether the end of a phrase is a name of stuff, and no longer end one of a thing."""
    things, stuff = _known_names()
    words = phrase.split()
    ends = (' '.join(words[start:]) for start in range(len(words)))
    return next((end in stuff for end in ends if end in things or end in stuff), False)


@lru_cache
def _known_names() -> tuple[frozenset[str], frozenset[str]]:
    """Displayed names of things and of stuff in all named vocabularies."""
    classes = load_named(EVERYTHING)
    return tuple(frozenset(name.casefold() for names in kind for name in names)
                 for kind in (classes.things, classes.stuff))
