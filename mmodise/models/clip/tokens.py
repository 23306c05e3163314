"""Texts as CLIP's tokens, with a word where a text does not fit or is not told from another."""

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache

from mmengine.logging import print_log
from torch import Tensor

from ...vocabulary import Vocabulary
from .prompts import Prompt, fill_prompt

Tokenizer = Callable[..., Tensor]


def tokenize(tokenizer: Tokenizer, texts: Sequence[str], context_length: int) -> Tensor:
    """Tokenize texts, and warn of those that are longer than CLIP reads.

    Each text is warned of once, with what is read of it and what is not; texts that are cut to the
    same tokens are named together.

    Args:
        tokenizer (Callable): Of open_clip: takes N texts and a context length, and gives their
            tokens, padded or cut.
        texts (Sequence[str]): N texts.
        context_length (int): Tokens that CLIP reads, the marks of begin and end included.

    Returns:
        Tensor: (N, context_length).
    """
    tokens = tokenizer(list(texts), context_length)
    groups: dict[tuple, list[str]] = {}
    for row in _cut_rows(tokenizer, texts, tokens):
        _warn_of_cut(tokenizer, texts[row], context_length)
        groups.setdefault(tuple(tokens[row].tolist()), []).append(texts[row])
    for group in groups.values():
        if len(set(group)) > 1:
            _warn_of_equal(tuple(dict.fromkeys(group)))
    return tokens


def warn_of_equal_names(
    tokenizer: Tokenizer, vocabulary: Vocabulary, context_length: int, prompt: Prompt = '{}'
) -> list[tuple[str, ...]]:
    """Warn of names of different classes that CLIP reads as one, such as 'Crane' and 'crane'.

    A vocabulary is looked at once; later calls answer from memory.

    Args:
        tokenizer (Callable): As in :func:`tokenize`.
        vocabulary (Vocabulary): The classes.
        context_length (int): Tokens that CLIP reads.
        prompt (str | tuple[str, ...]): What a name is put into; of several templates, the first one
            tells.

    Returns:
        list[tuple[str, ...]]: Groups of such names. They have equal scores: the first class of
        them is found, the others only by their other names.
    """
    return _equal_names(tokenizer, vocabulary, context_length, prompt)


@lru_cache(maxsize=64)
def _equal_names(
    tokenizer: Tokenizer, vocabulary: Vocabulary, context_length: int, prompt: Prompt
) -> list[tuple[str, ...]]:
    template = prompt if isinstance(prompt, str) else prompt[0]
    texts = [fill_prompt(template, name) for name in vocabulary.names]
    tokens = map(tuple, tokenizer(texts, context_length).tolist())
    groups = vocabulary.equal_names(list(tokens))
    for group in groups:
        print_log(
            f'The names {" and ".join(map(_shorten, group))} are of different classes, but CLIP '
            'reads them as one text, so that only the first is found. Rename one of them.',
            'current', logging.WARNING)
    return groups


def _cut_rows(tokenizer: Tokenizer, texts: Sequence[str], tokens: Tensor) -> list[int]:
    """Rows of texts that do not fit: with space for one token more, they become other tokens."""
    length = tokens.shape[1]
    # shorter texts fit: a token is a byte at least, and normalisation rarely makes bytes more
    long = [row for row, text in enumerate(texts) if 2 * len(text.encode()) > length]
    if not long:
        return []
    more = tokenizer([texts[row] for row in long], length + 1)[:, :length]
    changed = (more != tokens[long]).any(dim=1)
    return [row for row, is_cut in zip(long, changed.tolist(), strict=True) if is_cut]


@lru_cache(maxsize=4096)
def _warn_of_cut(tokenizer: Tokenizer, text: str, context_length: int) -> None:
    """Say what is read of a text and what is not; once, as the results of calls are kept."""
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        part = [text[:middle]]
        if _cut_rows(tokenizer, part, tokenizer(part, context_length)):
            too_long = middle
        else:
            fits = middle
    print_log(
        f'CLIP reads {context_length} tokens at most. Of {_shorten(text)} it reads '
        f'{_shorten(text[:fits])}; cut off is {_shorten(text[fits:])}.',
        'current', logging.WARNING)


@lru_cache(maxsize=4096)
def _warn_of_equal(texts: tuple[str, ...]) -> None:
    print_log(
        f'{len(texts)} texts differ only in what CLIP does not read, and become one embedding: '
        f'{", ".join(map(_shorten, texts[:4]))}. Shorten them.', 'current', logging.WARNING)


def _shorten(text: str, longest: int = 80) -> str:
    """A text for a message; of a long one, its begin and end."""
    if len(text) > longest:
        text = f'{text[: longest // 2]} ... {text[-longest // 2 :]}'
    return repr(text)
