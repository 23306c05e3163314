"""What the timing of questions counts; no test looks at how long it took."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/odise/odise_sd-small_shapes-panoptic.py'


@pytest.fixture
def tool(load_tool):
    return load_tool('benchmark_questions')


def test_questions_names_and_a_folder(tool, tmp_path, capsys):
    out = tmp_path / 'new/figures.json'
    tool.main([
        str(CONFIG), '--size', '64', '64x128', '--repeats', '1', '--names', '30', '--folder', '3',
        '--weights', 'mmodise://shapes/odise.pth', '--out', str(out)])
    figures = json.loads(out.read_text())
    for size, pixels in (('64 x 64', 64 * 64), ('64 x 128', 64 * 128)):
        first, later = (figures[f'{size}: {which}, s'] for which in (
            'first question', 'later questions'))
        assert first > 0 and later > 0
        assert figures[f'{size}: of the first, %'] == pytest.approx(100 * later / first, rel=0.1)
        assert figures[f'{size}: session, MiB'] * 2**20 > 12 * pixels / 16 * 4 + 3 * pixels
    assert figures['30 names embedded, s'] >= 0 and figures['30 names saved before, s'] >= 0
    assert figures['DetInferencer, images a second'] > 0
    assert figures['ODISEInferencer, images a second'] > 0
    assert '| 64 x 128: later questions, s ' in capsys.readouterr().out


def test_a_folder_needs_weights(tool, capsys):
    with pytest.raises(SystemExit):
        tool.main([str(CONFIG), '--folder', '3'])
    assert '--folder needs --weights' in capsys.readouterr().err
