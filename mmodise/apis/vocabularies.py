"""What vocabularies may be given as: one for all pictures, or one for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import NamedTuple, TypeVar

from ..models import ODISE
from ..vocabulary import Vocabulary
from .saved_vocabulary import is_saved, load_vocabulary

T = TypeVar('T')


def read_vocabulary(model: ODISE, vocabulary: object, stuff: object = None) -> Vocabulary:
    """Find out what is meant, see :meth:`ODISEInferencer.read_vocabulary`."""
    if vocabulary is None and stuff is None:
        return model.panoptic_head.vocabulary
    read = [load_vocabulary(source, model) if is_saved(source) else source
            for source in (vocabulary, stuff)]
    if read[1] is None and isinstance(read[0], Vocabulary):
        return read[0]
    return Vocabulary.read(*('' if source is None else source for source in read))


class PictureVocabularies(NamedTuple):
    """The vocabulary of each picture; ``count`` is None for one that all have."""

    vocabularies: Iterable[Vocabulary]
    count: int | None

    def pair(self, pictures: Iterable[T]) -> Iterator[tuple[T, Vocabulary]]:
        """Give each picture its vocabulary.

        Raises:
            ValueError: If there are more or fewer than pictures.
        """
        vocabularies, given = iter(self.vocabularies), 0
        for given, picture in enumerate(pictures, start=1):
            vocabulary = next(vocabularies, None)
            if vocabulary is None:
                raise ValueError(self._unequal(f'{given} or more'))
            yield picture, vocabulary
        if self.count is not None and self.count != given:
            raise ValueError(self._unequal(str(given)))

    def _unequal(self, pictures: str) -> str:
        return (f'There are {self.count} vocabularies for {pictures} pictures. Give one for all, '
                'or one for each.')


def one_per_picture(
    vocabulary: object, stuff: object, read: Callable[[object, object], Vocabulary]
) -> PictureVocabularies:
    """Tell a vocabulary for all pictures from a list of vocabularies.

    Args:
        vocabulary: A list of :class:`Vocabulary` and None is one for each picture, anything else
            one for all.
        stuff: More classes, for all pictures.
        read (Callable): Reads a vocabulary and its stuff.
    """
    if isinstance(vocabulary, (list, tuple)) and any(
            isinstance(one, Vocabulary) for one in vocabulary):
        others = [one for one in vocabulary if not isinstance(one, (Vocabulary, type(None)))]
        if others:
            raise ValueError(
                f'A list with a Vocabulary is one vocabulary for each picture, but {others[0]!r} '
                'is none. Make it one: Vocabulary.read(...).')
        return PictureVocabularies([read(one, stuff) for one in vocabulary], len(vocabulary))
    return PictureVocabularies(repeat(read(vocabulary, stuff)), None)
