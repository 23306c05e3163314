"""A chart of a figure of each class."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

_MAX_NAMES = 200  # more cannot be read


def draw_classes(
    values: Mapping[str, float], path: Path, title: str, novel: Collection[str] = ()
) -> None:
    """Draw a bar a class into a picture file, the best first.

    Args:
        values (Mapping[str, float]): In percent, by name.
        path (Path): The picture.
        title (str): What is shown.
        novel (Collection[str]): Classes that were not seen in training; they get another colour.
            Defaults to ().
    """
    names = sorted(values, key=lambda name: -values[name])
    places = np.arange(len(names))
    is_novel = np.array([name in novel for name in names], dtype=bool)
    heights = np.array([values[name] for name in names])
    figure = Figure(figsize=(min(40, 4 + 0.16 * len(names)), 4.5), layout='constrained')
    axes = figure.add_subplot(title=title, ylim=(0, 100))
    groups = [('seen in training', ~is_novel), ('not seen', is_novel)] if novel else [
        ('', ~is_novel)]
    for label, chosen in groups:
        axes.bar(places[chosen], heights[chosen], label=label)
    if len(names) <= _MAX_NAMES:
        axes.set_xticks(places, names, rotation=90, fontsize=7)
    else:
        axes.set_xlabel(f'{len(names)} classes')
    axes.grid(axis='y', alpha=0.3)
    axes.set_axisbelow(True)
    if novel:
        axes.legend(frameon=False)
    figure.savefig(path, dpi=100)
