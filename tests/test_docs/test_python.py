"""The page about Python is run from top to bottom, as a reader would."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from mmodise import Vocabulary
from mmodise.datasets.shapes_world import draw_scene

PAGE = (Path(__file__).parents[2] / 'docs/python.md').read_text(encoding='utf-8')


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'photos').mkdir()
    for i, name in enumerate(('street.jpg', 'photos/a.jpg', 'photos/b.png')):
        Image.fromarray(draw_scene(np.random.default_rng(i)).image).save(tmp_path / name)
    names = {}
    for block in re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL):
        exec(block, names)
    told = capsys.readouterr().out
    assert 'photos/a.jpg [' in told and 'photos/b.png [' in told
    assert "'unet8': (1, 80, 8, 8)" in told and "'pyramid32'" in told
    assert names['result'].vocabulary == Vocabulary.named('voc')
    assert len(names['result'].segments) > 0
