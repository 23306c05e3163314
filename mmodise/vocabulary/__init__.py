"""The classes that a picture is labelled with."""

from .vocabulary import Vocabulary

__all__ = ['Vocabulary']
