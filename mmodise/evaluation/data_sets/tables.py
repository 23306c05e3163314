"""Tables laid out as in papers: a row a model, columns of data sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

#: Figures of the papers: their keys in the metrics, and what makes percent of them.
FIGURES = {
    'PQ': ('coco_panoptic/PQ', 1), 'PQ base': ('coco_panoptic/base_PQ', 1),
    'PQ novel': ('coco_panoptic/novel_PQ', 1),
    'AP': ('coco/segm_mAP', 100), 'AP50': ('coco/segm_mAP_50', 100),
    'AP base': ('coco/base_segm_mAP', 100), 'AP novel': ('coco/novel_segm_mAP', 100),
    'Cityscapes AP': ('cityscapes/AP', 100),
    'LVIS AP': ('lvis/segm_AP', 100), 'LVIS AP50': ('lvis/segm_AP50', 100),
    'APr': ('lvis/segm_APr', 100),
    'APc': ('lvis/segm_APc', 100), 'APf': ('lvis/segm_APf', 100),
    'LVIS AP base': ('lvis/base_segm_AP', 100), 'LVIS AP novel': ('lvis/novel_segm_AP', 100),
    'mIoU': ('semantic/mIoU', 1), 'mIoU base': ('semantic/base_mIoU', 1),
    'mIoU novel': ('semantic/novel_mIoU', 1),
    'recall': ('class_agnostic/recall50', 1), 'region recall': ('regions/recall50', 1)}

Columns = Mapping[str, Sequence[str]]


def check_tables(
    tables: Mapping[str, Columns], references: Mapping[str, Mapping], names: Sequence[str]
) -> None:
    """Refuse tables and rows of data sets or figures that there are none of.

    Args:
        tables (Mapping[str, Mapping[str, Sequence[str]]]): By title, of each data set the figures
            that are its columns.
        references (Mapping[str, Mapping]): Further rows, of each data set its figures.
        names (Sequence[str]): Of the data sets.

    Raises:
        ValueError: Says which table or row asks for what.
    """
    wanted = {f'tables: {title!r}': columns for title, columns in tables.items()}
    wanted |= {f'references: {row!r}': figures for row, figures in references.items()}
    for where, columns in wanted.items():
        for name, keys in columns.items():
            unknown = set(keys).difference(FIGURES)
            if name not in names or unknown:
                what = f'the data set {name!r}' if name not in names else f'{unknown} of {name}'
                raise ValueError(f'{where} asks for {what}. There are the data sets '
                                 f'{", ".join(names)} and the figures {", ".join(FIGURES)}.')


def in_percent(figures: Mapping[str, float], key: str) -> float:
    """One of :data:`FIGURES` of a data set's metrics; nan if there is none."""
    metric, factor = FIGURES[key]
    return factor * float(figures.get(metric, math.nan))


def markdown(title: str, columns: Columns, rows: Mapping[str, Mapping]) -> str:
    """A table in Markdown, '-' where there is no figure.

    Args:
        title (str): What stands above it.
        columns (Mapping[str, Sequence[str]]): Of each data set its figures.
        rows (Mapping[str, Mapping]): By what stands before it, figures in percent by data set and
            name.
    """
    pairs = [(name, key) for name, keys in columns.items() for key in keys]
    heads = [f'{name} {key.removeprefix("LVIS ")}' for name, key in pairs]
    lines = [['', *heads], ['---'] + ['---:'] * len(pairs)]
    for row, figures in rows.items():
        values = [figures.get(name, {}).get(key, math.nan) for name, key in pairs]
        lines.append([row, *('-' if math.isnan(value) else f'{value:.1f}' for value in values)])
    table = '\n'.join(f'| {" | ".join(line)} |' for line in lines)
    return f'**{title}**\n\n{table}\n'
