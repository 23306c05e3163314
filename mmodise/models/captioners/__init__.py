"""Captioners: images -> the text condition of a generator."""

from .implicit_captioner import ImplicitCaptioner

__all__ = ['ImplicitCaptioner']
