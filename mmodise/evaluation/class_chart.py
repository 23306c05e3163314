"""A chart of a figure of each class."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_IN_A_ROW = 75  # classes whose names can be read
_LETTERS = 24  # of a name that are shown


def draw_classes(
    values: Mapping[str, float], path: Path, title: str, novel: Collection[str] = ()
) -> None:
    """Draw a bar a class into a picture file, the best first; many classes in several rows.

    Args:
        values (Mapping[str, float]): In percent, by name.
        path (Path): The picture.
        title (str): What is shown.
        novel (Collection[str]): Classes that were not seen in training; they get another colour.
            Defaults to ().
    """
    names = sorted(values, key=lambda name: -values[name])
    rows = max(1, -(-len(names) // _IN_A_ROW))
    length = -(-len(names) // rows)  # rows of equal length
    figure = Figure(figsize=(max(5, 1 + 0.17 * length), 0.6 + 2.9 * rows), layout='constrained')
    figure.suptitle(f'{title}, {len(names)} classes')
    for row, axes in enumerate(figure.subplots(rows, 1, squeeze=False)[:, 0]):
        part = names[row * length:(row + 1) * length]
        _draw_row(axes, part, [values[name] for name in part],
                  np.array([name in novel for name in part], dtype=bool))
        axes.set_xlim(-0.7, length - 0.3)
    if novel:
        handles = [axes.bar(0, 0, color=f'C{i}') for i in range(2)]
        figure.legend(handles, ['seen in training', 'not seen'], loc='outside upper right',
                      frameon=False, ncols=2, fontsize=8)
    figure.savefig(path, dpi=100)


def _draw_row(
    axes: Axes, names: Sequence[str], heights: Sequence[float], is_novel: np.ndarray
) -> None:
    places = np.arange(len(names))
    axes.bar(places, heights, color=[f'C{int(novel)}' for novel in is_novel])
    axes.set_xticks(places, [_shorten(name) for name in names], rotation=90, fontsize=7)
    axes.set_ylim(0, max([1, *heights]))
    axes.grid(axis='y', alpha=0.3)
    axes.set_axisbelow(True)


def _shorten(name: str) -> str:
    return name if len(name) <= _LETTERS else f'{name[:_LETTERS - 1]}…'
