"""CLIP, frozen."""

from .frozen_clip import FrozenCLIP

__all__ = ['FrozenCLIP']
