"""A chart of two tests of one data set: two points and a line a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..charts import shorten
from .class_changes import ClassChange, extremes, groups_of, means


def draw_changes(
    changes: Sequence[ClassChange], path: Path, key: str, labels: tuple[str, str], count: int
) -> None:
    """Draw two points and a line a class into a picture file, base and novel classes apart.

    Args:
        changes (Sequence[ClassChange]): Sorted by their difference.
        path (Path): The picture.
        key (str): The figure.
        labels (tuple[str, str]): What the tests are called.
        count (int): How many losses and gains are shown of each group.
    """
    groups = dict(groups_of(changes))
    if not groups:
        return
    shown = {title: extremes(group, count) for title, group in groups.items()}
    rows = max(map(len, shown.values()))
    figure = Figure(figsize=(6.2 * len(groups), 1.8 + 0.24 * rows), layout='constrained')
    for index, (title, group) in enumerate(groups.items(), start=1):
        axes = figure.add_subplot(1, len(groups), index, xlabel=f'{key} in percent')
        first, second = means(group)
        axes.set_title(f'{title}, {len(group)} classes\nmean {first:.1f} → {second:.1f}',
                       fontsize=11)
        _draw_group(axes, shown[title], len(group) > len(shown[title]), count, labels)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, frameon=False, loc='outside lower center', ncols=2)
    figure.savefig(path, dpi=110)


def _draw_group(
    axes: Axes, shown: Sequence[ClassChange], is_cut: bool, count: int, labels: tuple[str, str]
) -> None:
    # gains on top; where classes in between are left out, there is a gap
    places = np.arange(len(shown), dtype=float)
    places[count:] += 1.0 * is_cut
    first, second = (np.array([getattr(change, key) for change in shown])
                     for key in ('first', 'second'))
    colors = np.where(second >= first, 'tab:green', 'tab:red')
    axes.hlines(places, first, second, colors=colors.tolist(), linewidth=2.5, alpha=0.7)
    axes.plot(first, places, 'o', color='white', markeredgecolor='0.35', markersize=6,
              label=labels[0])
    axes.plot(second, places, 'o', color='0.2', markersize=6, label=labels[1])
    for place, change in zip(places, shown, strict=True):
        axes.annotate(change.text, (max(change.first, change.second), place),
                      (8, 0), textcoords='offset points', va='center', fontsize=8)
    axes.set_yticks(places, [shorten(change.name) for change in shown], fontsize=9)
    if is_cut:
        axes.axhline(count, color='0.6', linestyle=':')
    axes.set_xlim(-3, 112)
    axes.set_xticks(range(0, 101, 20))
    axes.set_ylim(-0.8, places[-1] + 0.8)
    axes.grid(axis='x', alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
