"""Lists and mappings written as JSON, Python or YAML."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable

from .structures import LISTS, STUFF, THINGS, key_name

_COMMENT_LINE = re.compile(r'^\s*(#|//).*$', re.MULTILINE)
_ASSIGNMENT = re.compile(r'^\w+\s*(:[^=\n]*)?=\s*[\[({]', re.MULTILINE)
_KEY = re.compile(r'''^(["']?)([^\s"':][^"':]*)\1\s*:(?:\s+(.*))?$''')


def load_document(text: str) -> object:
    """Load a text that is JSON, JSON lines, Python literals or YAML; None if it is none.

    Args:
        text: A list or a mapping in brackets, Python assignments (``CLASSES = (...)``), a list of
            YAML (``- cat``), or a mapping of YAML with a known key such as ``names:``.

    Raises:
        ValueError: If it starts as one of them, but cannot be read.
    """
    body = _COMMENT_LINE.sub('', text).strip()
    if body[:1] in ('[', '{'):
        return _load_brackets(body)
    if body[:1] == '(' and body[-1:] == ')':
        return _load_literal(body)
    if _ASSIGNMENT.match(body):
        return _load_assignments(body)
    return _load_yaml(text) if _is_yaml(body) else None


def _load_brackets(text: str) -> object:
    reasons = []
    for load in (_load_json, ast.literal_eval, _load_json_lines, _load_flow):
        try:
            return load(text)
        except json.JSONDecodeError as error:
            reasons.append(str(error))
        except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
            if isinstance(error, _DoubleKeyError):
                raise
    raise ValueError(
        f'This starts as a list in brackets, {text[:40]!r}, and is not JSON ({reasons[0]}), nor '
        'Python, nor YAML. Close all brackets and quotation marks.')


def _load_json(text: str) -> object:
    return json.loads(text, object_pairs_hook=_unique)


def _load_json_lines(text: str) -> list:
    return [_load_json(line.strip().rstrip(',')) for line in text.splitlines() if line.strip()]


def _load_flow(text: str) -> object:
    """YAML's lists need no quotation marks: ``[cat, dog]``; a string is no list."""
    found = _load_yaml(text)
    if isinstance(found, str):
        raise ValueError('no list')
    return found


def _load_literal(text: str) -> object:
    """A tuple of Python's; None for a name in brackets."""
    try:
        found = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return None
    return [found] if isinstance(found, str) else found


def _load_assignments(text: str) -> dict:
    try:
        targets = [(node.targets[0] if isinstance(node, ast.Assign) else node.target, node.value)
                   for node in ast.parse(text).body]
        return _unique((target.id, ast.literal_eval(value)) for target, value in targets)
    except (SyntaxError, AttributeError, ValueError) as error:
        raise ValueError(
            f'This looks like Python, but is more than names of lists with strings: {error}. '
            "Expected: CLASSES = ('cat', 'dog').") from error


class _DoubleKeyError(ValueError):
    """A key stands twice."""


def _unique(pairs: Iterable[tuple]) -> dict:
    mapping: dict = {}
    for key, value in pairs:
        if key in mapping:
            raise _DoubleKeyError(f'The key {key!r} is there twice. Give each once.')
        mapping[key] = value
    return mapping


def _is_yaml(text: str) -> bool:
    """Whether a text without comments is a list or a mapping of YAML."""
    lines = text.splitlines()
    outer = [line.rstrip() for line in lines if line.strip() and line[0] not in ' \t']
    if not outer:
        return False
    if outer[0] == '---' or all(re.match(r'-(\s|$)', line) for line in outer):
        return True
    keys = [_KEY.match(line) for line in outer]
    known = (*THINGS, *STUFF, *LISTS, 'nc')
    if any(key and key_name(key[2]) in known for key in keys):
        return True
    ids = all(key and key[2].isdecimal() for key in keys)
    lists = any(key and (key[3] or '').startswith(('[', '{')) for key in keys)
    return all(keys) and (lists if ids else len(lines) > 1)


def _load_yaml(text: str) -> object:
    import yaml

    class Loader(yaml.BaseLoader):  # all scalars are strings: "no" is a name
        pass

    def construct_mapping(loader: Loader, node: yaml.MappingNode) -> dict:
        return _unique((loader.construct_object(key, deep=True),
                        loader.construct_object(value, deep=True)) for key, value in node.value)

    def construct_string(loader: Loader, node: yaml.ScalarNode) -> str:
        if node.style is None and node.start_mark.line != node.end_mark.line:
            raise ValueError(
                f'This looks like YAML, where {node.value!r} is one string. Start each line with '
                '"- " to make a list.')
        return node.value

    Loader.add_constructor('tag:yaml.org,2002:map', construct_mapping)
    Loader.add_constructor('tag:yaml.org,2002:str', construct_string)
    try:
        return yaml.load(text, Loader)
    except (yaml.YAMLError, TypeError) as error:
        raise ValueError(f'This looks like YAML, but cannot be read: {error}') from error
