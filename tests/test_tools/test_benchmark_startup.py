"""Where the time of a start is booked; no test looks at how long it took."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmodise.benchmark.startup import StartUp, imports_of
from mmodise.benchmark.startup_process import PARTS, Stopwatch
from mmodise.weights import locate

ROOT = Path(__file__).parents[2]


def test_parts_of_the_command(demo_dir, tmp_path):
    out, picture = tmp_path / 'measured.json', demo_dir / 'data/shapes/val/000001.jpg'
    start = time.monotonic()
    subprocess.run(
        [sys.executable, '-m', 'mmodise.benchmark.startup_process', out, str(start), picture,
         '--out-dir', tmp_path / 'out'], check=True, capture_output=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)})
    seconds = time.monotonic() - start
    measured = json.loads(out.read_text())
    assert set(measured['parts']) == set(PARTS), 'each of them was there'
    assert 0.5 * seconds < sum(measured['parts'].values()) <= seconds
    assert (tmp_path / 'out/000001.png').is_file(), 'it did what the command does'
    clip, generator = map(locate, ('mmodise://shapes/clip', 'mmodise://shapes/stable_diffusion'))
    assert measured['files'] == sorted([
        locate('mmodise://shapes/odise.pth'), f'{clip}/open_clip_model.safetensors',
        f'{generator}/text_encoder/model.safetensors',
        *(f'{generator}/{part}/diffusion_pytorch_model.safetensors' for part in ('unet', 'vae'))])
    if measured['loaded']:
        assert measured['loaded']['peak'] <= measured['at_end']['peak']


def test_time_is_booked_on_the_innermost_part(monkeypatch):
    times = iter([1.0, 3.0, 6.0, 10.0, 10.0, 15.0, 15.0, 21.0])
    monkeypatch.setattr(time, 'monotonic', lambda: next(times))

    class Model:
        def outer(self):
            return self.inner()

        def inner(self):
            return 'result'

    watch, results = Stopwatch(0.0), []
    watch.around(Model, 'inner', 'reading')
    watch.around(Model, 'outer', 'building', results.append)
    watch.book('imports')
    assert Model().outer() == 'result' and results == ['result']
    watch.book()
    assert watch.spent == {'imports': 1.0, 'the rest': 8.0, 'building': 8.0, 'reading': 4.0}


def test_imports_are_added_up_by_package():
    told = ('import time: self [us] | cumulative | imported package\n'
            'import time:      1000 |       1000 |     torch.nn\n'
            'import time:   2000000 |    2001000 |   torch\n'
            'something else\n'
            'import time:      5000 |    2006000 | mmodise\n')
    assert imports_of(told) == {'torch': 2.001, 'mmodise': 0.005}


def test_medians_are_shown():
    found = StartUp(whole=[3.0, 1.0, 2.0], processor=[4.0], reading=[0.5], num_bytes=2**30,
                    parts=[{'building': 1.0}, {'building': 3.0}, {'building': 2.5}],
                    loaded=dict(peak=2**31, own=2**30, files=2**29))
    lines = found.table().replace(' ', '')
    assert '|building|2.50|' in lines and '|totheendoftheprocess|2.00|' in lines
    assert '2.00(1.00,0.50)' in lines and 'checkpoint' not in lines


def test_runs_must_be_some(load_tool, capsys):
    with pytest.raises(SystemExit):
        load_tool('benchmark_startup').parse_args(['--runs', '0'])
    assert '--runs: at least 1' in capsys.readouterr().err
