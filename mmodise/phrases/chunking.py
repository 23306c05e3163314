"""The noun phrases of a tagged text."""

import re
from collections.abc import Sequence
from itertools import pairwise

# Adjectives and nouns that end with a noun. English has no longer phrases; a text of another
# language, in which every word was taken for a noun, would otherwise be a single one.
_PHRASE = re.compile('[JN]{0,7}N')


def noun_phrases(tagged: Sequence[tuple[str, str]], connected: bool = True) -> list[str]:
    """Take the noun phrases out of a tagged text.

    A phrase is adjectives and nouns, the last a noun. Two phrases with nothing but a preposition
    between them are a third one: of 'dogs on green grass' they are 'dogs', 'green grass' and 'dogs
    on green grass'. Articles and numbers are no part of a phrase. (The grammar of Kim, Medelyan,
    Kan and Baldwin, SemEval 2010; the official release's examples follow it.)

    Args:
        tagged (Sequence[tuple[str, str]]): Words with tags of the Penn Treebank: NN* are nouns, JJ
            adjectives, IN prepositions, anything else separates phrases.
        connected (bool): Whether to take those with a preposition. Defaults to True.

    Returns:
        list[str]: In lower case, each once; those with a preposition come last.
    """
    words = [word.lower() for word, _ in tagged]
    letters = ''.join(map(_letter, (tag for _, tag in tagged)))
    spans = [match.span() for match in _PHRASE.finditer(letters)]
    if connected:
        spans += [(left[0], right[1]) for left, right in pairwise(spans)
                  if letters[left[1]:right[0]] == 'P']
    return list(dict.fromkeys(' '.join(words[a:b]) for a, b in spans))


def _letter(tag: str) -> str:
    """One letter a word, so that a phrase is a regular expression."""
    if tag.startswith('NN'):
        return 'N'
    return {'JJ': 'J', 'IN': 'P'}.get(tag, '-')
