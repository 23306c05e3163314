"""A tagger of descriptions of pictures that needs no download."""

import re
from functools import cache
from itertools import zip_longest

from mmodise.phrases import lexicon

_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|\d+|[^\w\s]")
_LATIN = re.compile(r"[a-zß-öø-ÿ'-]+")
_COMPOUNDS = {tuple(words.split()) for words in lexicon.COMPOUND_PREPOSITIONS}

Tagged = tuple[str, str]


class BuiltinTagger:
    """Tells nouns, adjectives and prepositions of English captions from all other words.

    Words of the closed classes and the most common verbs and adjectives are in :mod:`.lexicon`,
    participles are known by their endings, and what is left are nouns: captions describe what is
    to be seen. What may be noun or verb is told by the word before it.
    """

    name = 'builtin'

    def __call__(self, text: str) -> list[Tagged]:
        """Tag a text.

        Args:
            text (str): English; a word of another script than the Latin one is no noun.

        Returns:
            list[tuple[str, str]]: Words in lower case, with tags of the Penn Treebank as far as
            :func:`noun_phrases` tells them apart. 'in front of' and the like are one word.
        """
        words = _join_compounds(_WORD.findall(text.lower().replace('\u2019', "'")))
        tagged: list[Tagged] = []
        for word, following in zip_longest(words, words[1:], fillvalue=''):
            tagged.append((word, _tag(word, following, tagged)))
        return tagged


def _join_compounds(words: list[str]) -> list[str]:
    joined, i = [], 0
    while i < len(words):
        size = next((n for n in (3, 2) if tuple(words[i:i + n]) in _COMPOUNDS), 1)
        joined.append(' '.join(words[i:i + size]))
        i += size
    return joined


def _tag(word: str, following: str, before: list[Tagged]) -> str:
    kind = _kind(word)
    if kind == 'noun or verb':
        return 'VB' if _is_verb(word, before) else 'NN'
    if kind == 'participle':
        return 'JJ' if _is_adjective(word, following, before) else 'VB'
    return kind


def _is_adjective(participle: str, following: str, before: list[Tagged]) -> bool:
    """'a parked car' and 'of sliced bread' have adjectives, 'a car parked on grass' has none."""
    tags = ('DT', 'PRP$', 'JJ', 'CD') + ('IN', 'CC') * (not participle.endswith('ing'))
    return (bool(before) and before[-1][1] in tags
            and _kind(following) in ('NN', 'JJ', 'noun or verb', 'participle'))


def _is_verb(word: str, before: list[Tagged]) -> bool:
    """'a man stands', 'men stand' have verbs; 'a fruit stand', 'two stands' and 'a stand' none."""
    previous, tag = before[-1] if before else ('', '')
    if tag == 'NN':
        return word.endswith('s') != _is_plural(previous)
    if tag == 'CC':  # 'a dog runs and jumps'
        return word.endswith('s') and 'VB' in (tag for _, tag in before)
    return tag in ('PRP', 'RB', 'MD', 'TO')


def _is_plural(noun: str) -> bool:
    if noun in lexicon.IRREGULAR_PLURALS.split():
        return True
    return noun.endswith('s') and not noun.endswith(('ss', 'us', 'is'))


def _kind(word: str) -> str:
    """A word's tag, or 'participle', or 'noun or verb'."""
    kinds = _lexicon()
    if word in kinds:
        return kinds[word]
    if ' ' in word:
        return 'IN'
    if not _LATIN.fullmatch(word):
        return 'CD' if word.isdecimal() else 'FW'
    if re.search(r'..(ing|ed)$', word):
        return 'participle'
    return 'RB' if word.endswith('ly') else 'NN'


@cache
def _lexicon() -> dict[str, str]:
    """What is known of words; later entries win."""
    kinds = dict.fromkeys(lexicon.ADJECTIVES.split(), 'JJ')
    kinds |= dict.fromkeys(_forms(lexicon.NOUN_OR_VERB), 'noun or verb')
    kinds |= dict.fromkeys(lexicon.PARTICIPLES.split(), 'participle')
    kinds |= dict.fromkeys(_forms(lexicon.VERBS) + lexicon.PAST_TENSES.split(), 'VB')
    kinds |= dict.fromkeys(lexicon.MISLEADING_NOUNS.split(), 'NN')
    for tag, words in lexicon.CLOSED.items():
        kinds |= dict.fromkeys(words.split(), tag)
    return kinds


def _forms(stems: str) -> list[str]:
    return [form for stem in stems.split() for form in (stem, _third_person(stem))]


def _third_person(stem: str) -> str:
    """``'catch' -> 'catches'``, ``'try' -> 'tries'``, ``'play' -> 'plays'``."""
    if re.search(r'[^aeiou]y$', stem):
        return stem[:-1] + 'ies'
    return stem + ('es' if re.search(r'(ch|sh|s|x|z|o)$', stem) else 's')
