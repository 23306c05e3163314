"""Packages that mmodise uses if they are there."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def import_optional(name: str, extra: str) -> ModuleType:
    """Import a package that comes with one of mmodise's extras.

    Args:
        name (str): The module, such as 'av'.
        extra (str): The extra of ``setup.py`` that brings it, such as 'video'.

    Raises:
        ImportError: If it is not installed; says what to do.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.split('.')[0]:
            raise  # it is there, and lacks something itself
        raise ImportError(
            f'This needs the package {error.name!r}, which is not installed. Install it with: '
            f'pip install "mmodise[{extra}]"', name=error.name) from error
