"""Which name is taken for which, as pictures and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ...evaluation import NOTHING, ConfusedPair, NameConfusion
from ...evaluation.class_figures import write_csv
from ..charts import shorten

_MAX_CLASSES = 40  # of a table of colours: more cannot be read
_MAX_PAIRS, _MAX_NOTHING = 20, 10  # of two names, and of a name and nothing
_MAX_VALUES = 26  # classes with which there is room for numbers


def write_confusion(
    confusion: NameConfusion, folder: Path, title: str = 'What is taken for what'
) -> list[Path]:
    """Write ``confusion.csv`` and pictures of a confusion.

    ``confused_pixels.png`` and ``confused_segments.png`` show the most frequent pairs of names;
    ``confusion.png``, if there are no more than 40 classes, all of them.

    Args:
        confusion (NameConfusion): Of pictures.
        folder (Path): Where to.
        title (str): Of the pictures.

    Returns:
        list[Path]: The pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pairs = confusion.pairs()
    write_csv(folder / 'confusion.csv', (
        'truth', 'prediction', 'pixels', "percent of the true name's pixels", 'segments'), pairs)
    pictures = []
    if any(pair.pixels for pair in pairs):
        pictures.append(folder / 'confused_pixels.png')
        total = confusion.pixels.sum()
        by_pixels = _first(pairs, 'pixels')
        draw_pairs(by_pixels, [100 * pair.pixels / total for pair in by_pixels], pictures[-1],
                   title, 'pixels, in percent of all; beside the bar, of the true name')
    by_segments = _first(pairs, 'segments')
    if by_segments:
        pictures.append(folder / 'confused_segments.png')
        draw_pairs(by_segments, [pair.segments for pair in by_segments], pictures[-1],
                   title, 'segments')
    shown = np.flatnonzero(confusion.pixels.any(0) | confusion.pixels.any(1))
    if 1 < len(shown) <= _MAX_CLASSES:
        pictures.append(folder / 'confusion.png')
        draw_confusion(confusion, shown, pictures[-1], title)
    return pictures


def _first(pairs: Sequence[ConfusedPair], key: str) -> list[ConfusedPair]:
    """The most frequent pairs, pairs of two names and those with nothing apart."""
    order = sorted((pair for pair in pairs if getattr(pair, key)),
                   key=lambda pair: -getattr(pair, key))
    with_nothing = [pair for pair in order if NOTHING in pair][:_MAX_NOTHING]
    named = [pair for pair in order if NOTHING not in pair][:_MAX_PAIRS]
    return [pair for pair in order if pair in named or pair in with_nothing]


def draw_pairs(
    pairs: Sequence[ConfusedPair], values: Sequence[float], path: Path, title: str,
    xlabel: str,
) -> None:
    """Draw a bar a pair of names into a picture file.

    Args:
        pairs (Sequence[ConfusedPair]): From the top.
        values (Sequence[float]): One a pair. Whole numbers are written beside the bars; else the
            share of the true name's pixels is.
        path (Path): The picture.
        title (str): What is shown.
        xlabel (str): Of the values.
    """
    figure = Figure(figsize=(9, 1.1 + 0.25 * len(pairs)), layout='constrained')
    axes = figure.add_subplot(title=title, xlabel=xlabel)
    places = np.arange(len(pairs))
    is_nothing = [NOTHING in (pair.truth, pair.predicted) for pair in pairs]
    axes.barh(places, values, 0.75, color=np.where(is_nothing, '0.7', 'tab:blue').tolist())
    for place, (pair, value) in enumerate(zip(pairs, values, strict=True)):
        text = f'{value}' if isinstance(value, int) else f'{pair.share:.0f} %'
        axes.annotate(text, (value, place), (4, 0), textcoords='offset points', va='center',
                      fontsize=8)
    axes.set_yticks(places, [
        f'{shorten(pair.truth)} → {shorten(pair.predicted)}' for pair in pairs], fontsize=9)
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.margins(x=0.08)
    axes.grid(axis='x', alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, dpi=110)


def draw_confusion(
    confusion: NameConfusion, shown: Sequence[int], path: Path, title: str
) -> None:
    """Draw the share of each true name's pixels that has each name into a picture file.

    Args:
        confusion (NameConfusion): Of pictures.
        shown (Sequence[int]): Labels that are shown.
        path (Path): The picture.
        title (str): What is shown.
    """
    names = [shorten(confusion.names[label]) for label in shown]
    is_true = [place for place, label in enumerate(shown) if confusion.pixels[label].any()]
    values = confusion.shares()[np.ix_(shown, shown)][is_true]
    side = 0.36 * len(shown)
    figure = Figure(figsize=(3.4 + side, 2.2 + 0.36 * len(is_true)), layout='constrained')
    axes = figure.add_subplot(
        title=f"{title}: share of the true name's pixels, in percent", xlabel='prediction',
        ylabel='truth')
    image = axes.imshow(values, vmin=0, vmax=100, cmap='Blues')
    if len(shown) <= _MAX_VALUES:
        for (row, column), value in np.ndenumerate(values):
            if value >= 0.5:
                axes.text(column, row, f'{value:.0f}', ha='center', va='center', fontsize=7,
                          color='white' if value > 55 else 'black')
    axes.set_xticks(range(len(shown)), names, rotation=90, fontsize=9)
    axes.set_yticks(range(len(is_true)), [names[place] for place in is_true], fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.6)
    figure.savefig(path, dpi=110)
