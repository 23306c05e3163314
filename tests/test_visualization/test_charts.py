import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mmodise.visualization import draw_bars, draw_maps


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
