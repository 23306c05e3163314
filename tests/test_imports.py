"""Imports go down only: a package knows of those below it, and of none above."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'mmodise'
#: From the ground up; packages of one floor do not know of each other.
FLOORS = (
    ('version', 'importing', 'weights', 'utils', 'compat', 'phrases'),
    ('vocabulary', ),
    ('checkpoints', ),
    ('datasets', ),
    ('models', ),
    ('evaluation', 'engine', 'visualization'),
    ('apis', ),
    ('benchmark', ),
)
FLOOR_OF = {part: floor for floor, parts in enumerate(FLOORS) for part in parts}


def imported_parts(path):
    """Parts of mmodise that a file imports, and the lines."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            modules = [alias.name.split('.') for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = list(package[:len(package) - node.level + 1]) if node.level else []
            base = start + (node.module.split('.') if node.module else [])
            modules = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for module in modules:
            if module[0] == 'mmodise' and len(module) > 1:
                yield module[1], node.lineno


def files():
    return [path for path in sorted(PACKAGE.rglob('*.py')) if path.parent != PACKAGE]


def test_every_part_has_a_floor():
    parts = {path.name.removesuffix('.py') for path in PACKAGE.iterdir()
             if path.suffix == '.py' or (path / '__init__.py').is_file()}
    assert parts - {'__init__', '__main__'} == set(FLOOR_OF)


def test_imports_go_down():
    up = [f'{path.relative_to(ROOT)}:{line} imports {part}'
          for path in files() for part, line in imported_parts(path)
          if part in FLOOR_OF and part != (own := path.relative_to(PACKAGE).parts[0])
          and FLOOR_OF[part] >= FLOOR_OF[own]]
    assert not up


@pytest.mark.parametrize(('source', 'expected'), [
    ('from ..engine import meet', ['engine']), ('import mmodise.models.odise', ['models']),
    ('from mmodise.apis.x import y', ['apis']), ('from .. import weights', ['weights']),
    ('def f():\n    from ...datasets import z', ['datasets']), ('import torch', [])])
def test_how_imports_are_read(source, expected, tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), 'ROOT', tmp_path)
    depth = 'a/b.py' if '...' in source else 'b.py'
    path = tmp_path / 'mmodise/part' / depth
    path.parent.mkdir(parents=True)
    path.write_text(source)
    assert [part for part, _ in imported_parts(path)] == expected


@pytest.mark.parametrize('before', ['', 'import torch; '])
def test_the_collector_is_as_it_was(before):
    """What is imported stays; objects of whoever used torch before are none of ours."""
    code = (f'{before}import gc, mmodise; '
            'print(gc.isenabled(), gc.get_freeze_count() > 100_000)')
    told = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True, check=True)
    assert told.stdout.split()[-2:] == ['True', str(not before)]
