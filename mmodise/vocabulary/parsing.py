"""Classes out of a text of any notation, told apart by content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .documents import load_document
from .lines import has_headings, read_lines, significant_lines
from .structures import Classes, read_entries, read_mapping
from .tables import load_table

Texts = str | Iterable | Mapping


def read_text(text: str) -> Classes:
    """Read classes written as JSON, Python, YAML, a table, lines, or a string with semicolons.

    Raises:
        ValueError: If it cannot be read as it was meant.
    """
    text = text.lstrip('\ufeff')
    if has_headings(text):
        return read_lines(text)
    document = load_document(text)
    if document is not None:
        return read_value(document)
    records = load_table(significant_lines(text))
    return read_lines(text) if records is None else read_entries(records)


def read_value(value: Texts | None) -> Classes:
    """Read a text, a list or a mapping; None holds no class."""
    if value is None:
        return Classes()
    if isinstance(value, str):
        return read_text(value)
    return read_mapping(value) if isinstance(value, Mapping) else read_entries(value)
