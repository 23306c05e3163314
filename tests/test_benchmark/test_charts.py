import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mmodise.benchmark.charts import draw_bars, draw_lines, draw_maps


@pytest.fixture
def figures(monkeypatch):
    """Figures in the order in which they are written."""
    figures, save = [], Figure.savefig
    monkeypatch.setattr(
        Figure, 'savefig', lambda self, *args, **kwargs: (
            figures.append(self), save(self, *args, **kwargs)))
    return figures


def test_bars_from_the_top_with_their_spread(tmp_path, figures):
    groups = dict(base=[(40.0, 2.0), (math.nan, math.nan)], novel=[(10.0, math.nan), (5.0, 1.0)])
    draw_bars(['recipe', 'other'], groups, tmp_path / 'bars.png', xlabel='PQ')
    axes, = figures[0].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ['recipe', 'other']
    assert axes.yaxis_inverted()
    base, novel = (container for container in axes.containers if hasattr(container, 'patches'))
    assert [bar.get_width() for bar in base.patches] == pytest.approx([40, math.nan], nan_ok=True)
    assert base.patches[0].get_y() < novel.patches[0].get_y() < base.patches[1].get_y()
    assert [text.get_text() for text in axes.texts] == ['40.0', '10.0', '5.0']
    assert Image.open(tmp_path / 'bars.png').width == 960


def test_lines_over_a_setting_and_what_grows_in_proportion(tmp_path, figures):
    panels = {'seconds': {'UNet': [2.0, 3.0, math.nan]}, 'memory': {'peak': [1.0, 1.0, 1.1]}}
    draw_lines([1, 4, 16], panels, tmp_path / 'lines.png', ticks=['a', 'b', 'c'], xlabel='size',
               logarithmic=True)
    seconds, memory = figures[0].axes
    line, guide = seconds.lines
    assert line.get_ydata()[:2].tolist() == [2, 3] and list(guide.get_ydata()) == [2, 8, 32]
    assert [label.get_text() for label in memory.get_xticklabels()] == ['a', 'b', 'c']
    low, high = memory.get_ylim()
    assert high / low == pytest.approx(10), 'little growth does not look like much'
    draw_lines([1, 2], {'seconds': {'UNet': [2.0, 3.0]}}, tmp_path / 'lines.png')
    axes, = figures[1].axes
    assert len(axes.lines) == 1 and axes.get_ylim()[0] == 0
    assert [label.get_text() for label in axes.get_xticklabels()] == ['1', '2']
    assert Image.open(tmp_path / 'lines.png').height == 528


def test_maps_mark_the_largest_value(tmp_path, figures):
    values = np.zeros((3, 3))
    values[2, 1] = 7.0  # y = 1, x = 0.5
    draw_maps({'novel PQ': values}, [0.0, 0.5, 1.0], tmp_path / 'maps.png', mark=(0.3, 0.7))
    largest, mark = figures[0].axes[0].lines
    assert largest.get_xydata().tolist() == [[0.5, 1.0]]
    assert mark.get_xydata().tolist() == [[0.3, 0.7]]
    image, = figures[0].axes[0].images
    assert image.origin == 'lower' and image.get_extent() == [-0.25, 1.25, -0.25, 1.25]
    assert (tmp_path / 'maps.png').is_file()
