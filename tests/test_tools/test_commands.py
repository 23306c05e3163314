"""Every file in tools/ is a command that answers before it imports anything heavy."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / 'tools').rglob('*.py'))
# what takes a second or more to import, or brings something that does
HEAVY = 'torch', 'mmodise', 'mmcv', 'mmdet', 'diffusers', 'transformers', 'open_clip', 'matplotlib'
ASK_FOR_HELP = f"""
import runpy, sys
sys.argv = [sys.argv[1], '--help']
try:
    runpy.run_path(sys.argv[0], run_name='__main__')
finally:
    heavy = [name for name in {HEAVY} if name in sys.modules]
    print('imported:', heavy, file=sys.stderr)
"""


def test_names_are_unique():
    assert max(Counter(path.stem for path in FILES).values()) == 1


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_help_comes_before_heavy_imports(path, tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', ASK_FOR_HELP, path], cwd=tmp_path, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, 'imported: []\n')
    assert done.stdout.startswith(f'usage: {path.name}')
    named = {word for word in done.stdout.split() if word.startswith('tools/')}
    assert not [name for name in named if not (ROOT / name).is_file()]


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_imported_it_does_nothing(path, load_tool):
    assert callable(load_tool(path.stem).main)
