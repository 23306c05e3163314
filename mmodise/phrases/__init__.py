"""Noun phrases of captions."""

from mmodise.phrases.builtin_tagger import BuiltinTagger
from mmodise.phrases.chunking import noun_phrases
from mmodise.phrases.extractor import EXTRACTORS, PhraseExtractor
from mmodise.phrases.many_captions import extract_phrases
from mmodise.phrases.nltk_tagger import NLTKTagger

__all__ = [
    'EXTRACTORS', 'BuiltinTagger', 'NLTKTagger', 'PhraseExtractor', 'extract_phrases',
    'noun_phrases']
