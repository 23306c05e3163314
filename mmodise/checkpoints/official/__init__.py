"""Checkpoints of the official ODISE and FC-CLIP: reading, and converting to ours and back."""

from .conversion import Conversion, from_official, is_official, to_official
from .names import CLIP_PREFIX, TITLES, Pair, kind_of, name_pairs, official_names
from .reading import read_official

__all__ = [
    'CLIP_PREFIX', 'TITLES', 'Conversion', 'Pair', 'from_official', 'is_official', 'kind_of',
    'name_pairs', 'official_names', 'read_official', 'to_official']
