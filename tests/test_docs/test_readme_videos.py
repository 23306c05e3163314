"""The lines on videos in README.md are run as a reader would."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mmodise.datasets.shapes_world import draw_scene

av = pytest.importorskip('av')
PAGE = (Path(__file__).parents[2] / 'README.md').read_text(encoding='utf-8')


def test_lines_on_videos(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with av.open('film.mp4', 'w') as output:
        stream = output.add_stream('libx264', rate=10)
        stream.width = stream.height = 128
        image = draw_scene(np.random.default_rng((2023, 6))).image
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    section = PAGE.partition('## Videos\n')[2].partition('\n## ')[0]
    block, = re.findall('```python\n(.*?)```', section, re.DOTALL)
    exec(block, {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith('labelled.mp4: 2 frames in ')
    assert [line.split()[0] for line in printed[1:]] == ['0.0', '0.1', '0.2']
    assert "'ball'" in printed[1] and len({line.partition(' ')[2] for line in printed[1:]}) == 1
