"""What README.md begins with is run as a reader would, beside a picture and a folder of them."""

import re
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'README.md').read_text(encoding='utf-8')
IMAGES = ROOT / 'docs/images'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for path in ('toys.jpg', 'photos/toys.jpg', 'more/inner/toys.png'):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        Image.open(IMAGES / 'toys.jpg').save(tmp_path / path)
    shutil.copy(IMAGES / 'toys.jpg', tmp_path)
    (tmp_path / 'list.txt').write_text('toys.jpg\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks(language, title=''):
    section = PAGE.partition(f'## {title}\n')[2] if title else PAGE
    return re.findall(f'```{language}\n(.*?)```', section.partition('\n## ')[0], re.DOTALL)


def test_three_lines_of_python_make_the_picture_below_them(folder):
    lines, = blocks('python')
    assert len(lines.splitlines()) == 3
    names = {}
    exec(lines, names)
    assert {segment.name for segment in names['result'].segments} == {
        'yellow star', 'red ring', 'blue ring', 'brick wall', 'water'}
    made, shown = (np.asarray(Image.open(path), np.int16)
                   for path in ('labelled.jpg', IMAGES / 'labelled.jpg'))
    assert made.shape == shown.shape and np.abs(made - shown).mean() < 5


def test_sessions(folder, capsys):
    block, = blocks('python', 'From Python')
    exec(block, {})
    assert 'photos/toys.jpg' in capsys.readouterr().out


def commands():
    for title in ('', 'From the command line'):
        for block in blocks('bash', title):
            yield from block.splitlines()


@pytest.fixture
def run(monkeypatch, load_tool, capsys):
    return partial(run_line, monkeypatch=monkeypatch, load_tool=load_tool, capsys=capsys)


@pytest.mark.parametrize('command', commands())
def test_lines_of_shell(folder, command, run):
    run(command)
    assert list(folder.glob('*/*toys*.*'))


def test_masks_of_a_run_before(folder, run):
    block, = blocks('bash', 'Masks from elsewhere')
    for command in block.replace('\\\n', '').splitlines():
        run(command)
    before, after = (np.asarray(Image.open(folder / name / 'toys_panoptic.png'))
                     for name in ('first', 'renamed'))
    assert np.array_equal(before.any(-1), after.any(-1))  # void is where it was
    assert 'brick wall' in (folder / 'renamed/toys_panoptic.json').read_text()


def run_line(command, monkeypatch, load_tool, capsys):
    python, *words = shlex.split(command)
    assert [python, *words[:3]] == ['python', '-m', 'mmodise', 'predict']
    words = [word for word in words[3:] if word != '--workers' and not word.isdecimal()]
    monkeypatch.setattr(sys, 'argv', ['predict.py', *words])
    load_tool('predict').main()
    assert re.search('[1-9] done in', capsys.readouterr().out)
