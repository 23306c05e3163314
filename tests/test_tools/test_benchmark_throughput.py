"""What the timing of many pictures counts; no test looks at how long it took."""

import json
from pathlib import Path

import pytest

from mmodise.benchmark.throughput import table

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/odise/odise_sd-small_shapes-panoptic.py'


@pytest.mark.parametrize('pretend', [None, '0.01'])
def test_a_folder_and_a_test(load_tool, demo_dir, tmp_path, monkeypatch, capsys, pretend):
    """Also that figures of a test are the same both ways: it says so if they are not."""
    monkeypatch.chdir(demo_dir)
    out = tmp_path / 'new/rates.json'
    load_tool('benchmark_throughput').main([
        str(CONFIG), 'mmodise://shapes/odise.pth', '--size', '64x96', '--pictures', '2',
        '--rounds', '1', '--test', '--device', 'cpu', '--out', str(out),
        *(['--pretend', pretend] if pretend else [])])
    rates = json.loads(out.read_text())['pictures_a_second']
    stream = [] if pretend else ['64x96, ODISEInferencer']
    metrics = ['metrics of COCO'] if pretend else []
    assert list(rates) == [
        f'{name}, {way}' for name in ['64x96, predict', *stream, 'mim test', *metrics]
        for way in ('one by one', 'overlapped')]
    assert all(rate > 0 for of_way in rates.values() for rate in of_way)
    assert '| 64x96, predict ' in capsys.readouterr().out


def test_the_gain_is_that_of_each_round():
    line = table({'a, one by one': [1.0, 4.0, 2.0], 'a, overlapped': [2.0, 4.0, 6.0]})
    assert '|2.00|4.00|2.00x|' in line.replace(' ', '')
