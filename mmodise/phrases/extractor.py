"""From a caption to its noun phrases."""

import logging

from mmengine.logging import print_log

from mmodise.phrases.builtin_tagger import BuiltinTagger
from mmodise.phrases.chunking import noun_phrases
from mmodise.phrases.nltk_tagger import NLTKTagger

EXTRACTORS = ('auto', 'nltk', 'builtin')


class PhraseExtractor:
    """Takes the noun phrases of captions, by NLTK or by the built-in tagger; see `noun_phrases`.

    Args:
        name (str): ``'nltk'``; ``'builtin'``, which needs no data; or ``'auto'``, NLTK if it and
            its data are there, and the built-in one with a line in the log otherwise. Defaults to
            'auto'.

    Raises:
        ValueError: If there is none of that name.
        ModuleNotFoundError, FileNotFoundError: If NLTK was asked for, and it or its data is not
            there; says how to get it.
    """

    def __init__(self, name: str = 'auto') -> None:
        if name not in EXTRACTORS:
            raise ValueError(f'Phrase extractor {name!r}: expected one of {EXTRACTORS}.')
        self.tagger = BuiltinTagger() if name == 'builtin' else self._nltk(required=name == 'nltk')

    @staticmethod
    def _nltk(required: bool) -> NLTKTagger | BuiltinTagger:
        try:
            return NLTKTagger()
        except (ModuleNotFoundError, FileNotFoundError) as error:
            if required:
                raise
            print_log(
                'Phrases of captions that bring none are taken by the built-in extractor, not by '
                f"NLTK as in the paper's recipe. {error}", 'current', logging.WARNING)
            return BuiltinTagger()

    @property
    def name(self) -> str:
        """``'nltk'`` or ``'builtin'``."""
        return self.tagger.name

    def __call__(self, caption: str, connected: bool = True) -> list[str]:
        """The noun phrases of a caption, in lower case, each once; maybe none.

        Args:
            caption (str): English.
            connected (bool): Whether two with a preposition between them are a third one, as in
                'dogs on grass'. Defaults to True.
        """
        return noun_phrases(self.tagger(caption), connected)
