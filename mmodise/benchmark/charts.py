"""Charts of results: bars with their spread, lines over a setting, and maps over two settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, NullLocator


def draw_bars(
    labels: Sequence[str],
    groups: Mapping[str, Sequence[tuple[float, float]]],
    path: str | Path,
    title: str = '',
    xlabel: str = '',
    digits: int = 1,
) -> None:
    """Draw lines of horizontal bars into a picture file, a bar a group in each line.

    Args:
        labels (Sequence[str]): One a line, from the top.
        groups (Mapping[str, Sequence[tuple[float, float]]]): By name, a value and its spread for
            each line; a value of nan leaves its place empty, a spread of nan has no error bar.
        path (str | Path): The picture, such as ``'bars.png'``.
        title (str): Defaults to none.
        xlabel (str): Of the values. Defaults to none.
        digits (int): Decimals of what is written beside a bar. Defaults to 1.
    """
    places, height = np.arange(len(labels)), 0.8 / len(groups)
    figure = Figure(figsize=(8, 1.2 + 0.55 * len(labels)), layout='constrained')
    axes = figure.add_subplot(title=title, xlabel=xlabel)
    for index, (name, results) in enumerate(groups.items()):
        values, spreads = np.array(results, dtype=float).T
        offsets = places + (index - (len(groups) - 1) / 2) * height
        axes.barh(offsets, values, height * 0.92, label=name)
        axes.errorbar(values, offsets, xerr=spreads, fmt='none', ecolor='black', elinewidth=1,
                      capsize=2)
        ends = values + np.nan_to_num(spreads)
        for value, end, offset in zip(values, ends, offsets, strict=True):
            if np.isfinite(value):
                axes.annotate(f'{value:.{digits}f}', (end, offset), (4, 0), va='center', fontsize=8,
                              textcoords='offset points')
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.margins(x=0.08)
    axes.set_xlim(left=0)
    axes.grid(axis='x', alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
    figure.legend(frameon=False, loc='outside lower right', ncols=len(groups))
    figure.savefig(path, dpi=120)


def draw_lines(
    x: Sequence[float],
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    path: str | Path,
    ticks: Sequence[str] | None = None,
    xlabel: str = '',
    logarithmic: bool = False,
) -> None:
    """Draw values over a setting into a picture file, a panel a quantity.

    Args:
        x (Sequence[float]): Values of the setting.
        panels (Mapping[str, Mapping[str, Sequence[float]]]): By title and by name of a line, a
            value for each of ``x``; nan leaves its place empty.
        path (str | Path): The picture, such as ``'lines.png'``.
        ticks (Sequence[str], optional): What to call each of ``x``. Defaults to the numbers.
        xlabel (str): Of the setting. Defaults to none.
        logarithmic (bool): Whether both axes are, with a dotted line of what grows in proportion
            to ``x``, from the start of each panel's first line. Defaults to False.
    """
    figure = Figure(figsize=(5.2 * len(panels), 4.4), layout='constrained')
    for index, (title, lines) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), index + 1, title=title, xlabel=xlabel)
        for number, (name, values) in enumerate(lines.items()):
            style = '-' if number < 10 else '--'  # there are ten colours
            axes.plot(x, values, style, marker='.', label=name)
        if logarithmic:
            axes.set(xscale='log', yscale='log')
            low, high = axes.get_ylim()
            widen = max(1.0, (10 * low / high) ** 0.5)  # to a decade, or little looks like much
            start = next(iter(lines.values()))[0]
            axes.plot(x, [start * value / x[0] for value in x], ':', color='grey',
                      label='in proportion')
            axes.set_ylim(low / widen, high * widen)
        else:
            axes.set_ylim(bottom=0)
        axes.set_xticks(x, ticks or [f'{value:g}' for value in x])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(frameon=False, fontsize=8, ncols=2, loc='upper left',
                    bbox_to_anchor=(0, -0.14))
    figure.savefig(path, dpi=120)


def draw_points(
    panels: Mapping[str, Mapping[str, tuple[float, float]]],
    path: str | Path,
    xlabel: str = '',
    ylabel: str = '',
) -> None:
    """Draw values over costs into a picture file, a panel a quantity; costs are logarithmic.

    A line leads through the points that no other one beats: dearer ones that are worth more.

    Args:
        panels (Mapping[str, Mapping[str, tuple[float, float]]]): By title and by name of a point,
            cost and value. The points of all panels have the same names.
        path (str | Path): The picture, such as ``'points.png'``.
        xlabel (str): Of the costs. Defaults to none.
        ylabel (str): Of the values. Defaults to none.
    """
    figure = Figure(figsize=(5.6 * len(panels), 5.4), layout='constrained')
    for index, (title, points) in enumerate(panels.items()):
        axes = figure.add_subplot(
            1, len(panels), index + 1, title=title, xlabel=xlabel, ylabel=ylabel, xscale='log')
        best = unbeaten(points)
        axes.plot(*zip(*(points[name] for name in best), strict=True), color='grey', zorder=1)
        for number, (name, point) in enumerate(points.items()):
            marker = 'os^DvP'[number // 10 % 6]  # there are ten colours
            axes.plot(*point, marker, label=name, markersize=8, zorder=2)
        axes.xaxis.set_major_formatter(FormatStrFormatter('%.3g'))
        axes.xaxis.set_minor_formatter(FormatStrFormatter('%.3g'))
        axes.tick_params(axis='x', which='both', labelsize=8)
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, fontsize=9,
                  loc='outside lower center', ncols=3)
    figure.savefig(path, dpi=120)


def unbeaten(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Points that none is both cheaper and worth more than, by name; from the cheapest on."""
    found: list[str] = []
    for name in sorted(points, key=lambda name: (points[name][0], -points[name][1])):
        if not found or points[name][1] > points[found[-1]][1]:
            found.append(name)
    return found


def draw_maps(
    maps: Mapping[str, np.ndarray],
    steps: Sequence[float],
    path: str | Path,
    xlabel: str = '',
    ylabel: str = '',
    mark: tuple[float, float] | None = None,
    mark_name: str = '',
) -> None:
    """Draw a value over a square grid of two settings into a picture file, a panel a map.

    The largest value of a map has a star, if they are not all the same.

    Args:
        maps (Mapping[str, ndarray]): By title, (y, x), both over ``steps``.
        steps (Sequence[float]): Values of each setting, evenly spaced, rising.
        path (str | Path): The picture, such as ``'maps.png'``.
        xlabel (str): The setting along x. Defaults to none.
        ylabel (str): The setting along y. Defaults to none.
        mark (tuple[float, float], optional): Place (x, y) to mark with a circle. Defaults to None.
        mark_name (str): What is there. Defaults to none.
    """
    half = (steps[1] - steps[0]) / 2
    low, high = steps[0] - half, steps[-1] + half
    figure = Figure(figsize=(4.6 * len(maps), 4.4), layout='constrained')
    for index, (title, values) in enumerate(maps.items()):
        axes = figure.add_subplot(1, len(maps), index + 1, title=title, xlabel=xlabel,
                                  ylabel=ylabel)
        image = axes.imshow(values, origin='lower', extent=(low, high, low, high))
        if values.min() < values.max():
            y, x = np.unravel_index(values.argmax(), values.shape)
            axes.plot(steps[x], steps[y], '*', color='red', markersize=13, label='largest')
        if mark is not None:
            axes.plot(*mark, 'o', color='red', markersize=11, fillstyle='none', label=mark_name)
        figure.colorbar(image, ax=axes, shrink=0.85)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc='outside lower center',
                  ncols=2)
    figure.savefig(path, dpi=120)


def draw_heat_maps(
    maps: Mapping[str, Sequence[Sequence[float]]],
    rows: Sequence[str],
    columns: Sequence[str],
    path: str | Path,
    title: str = '',
    xlabel: str = '',
    note: str = '',
) -> None:
    """Draw tables of values as colours, with the values in them, into a picture file.

    Args:
        maps (Mapping[str, Sequence[Sequence[float]]]): By title of a panel, (rows, columns); nan
            leaves its place empty. Each panel has its own scale of colours.
        rows (Sequence[str]): Their names, from the top.
        columns (Sequence[str]): Their names.
        path (str | Path): The picture, such as ``'heat.png'``.
        title (str): Over all panels. Defaults to none.
        xlabel (str): Of the columns. Defaults to none.
        note (str): Under all panels. Defaults to none.
    """
    width = 2.2 + len(maps) * (1.4 + 0.62 * len(columns))
    figure = Figure(figsize=(max(width, 7), 1.6 + 0.24 * len(rows)), layout='constrained')
    figure.suptitle(title)
    for index, (name, values) in enumerate(maps.items()):
        axes = figure.add_subplot(1, len(maps), index + 1, xlabel=xlabel)
        axes.set_title(name, fontsize=10)
        values = np.array(values, dtype=float)
        low, high = np.nanmin(values), np.nanmax(values)
        image = axes.imshow(values, aspect='auto', vmin=low, vmax=high)
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                is_dark = value < (low + high) / 2
                axes.text(column, row, f'{value:.1f}', ha='center', va='center', fontsize=8,
                          color='white' if is_dark else 'black')
        axes.set_xticks(range(len(columns)), columns)
        axes.set_yticks(*(([], []) if index else (range(len(rows)), rows)), fontsize=9)
        figure.colorbar(image, ax=axes, shrink=0.6)
    figure.supxlabel(note, fontsize=9, x=0.01, ha='left')
    figure.savefig(path, dpi=120)


def shorten(name: str, length: int = 28) -> str:
    """A name that is no longer than there is room for."""
    return name if len(name) <= length else f'{name[:length - 1]}…'
