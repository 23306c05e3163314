"""What a probe found: a ranking as a table, a heat map over maps and noise, and pictures."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ..charts import draw_heat_maps
from ..comparison import table
from .pca import best_of_each_kind, draw_components
from .records import CHART, COLUMNS, PICTURE, TABLE, Record
from .run import Run

_FIGURES = dict(probe_miou='linear probe, mIoU', probe_accuracy='accuracy',
                cluster_miou='clusters, mIoU', cluster_accuracy='accuracy')


def ranked(records: Sequence[Record]) -> list[Record]:
    """The best linear probe first."""
    return sorted(records, key=lambda record: -record.probe_miou)


def format_table(records: Sequence[Record], noise: str) -> str:
    """Ranks, in Markdown.

    Args:
        records (Sequence[Record]): The best first.
        noise (str): What the level of noise is called.
    """
    rows = [[place, record.map, _noise(record), record.channels, record.stride,
             'read' if record.is_read else '',
             *(f'{getattr(record, name):.1f}' for name in _FIGURES)]
            for place, record in enumerate(records, start=1)]
    header = ['', 'map', noise, 'channels', 'stride', 'by the config', *_FIGURES.values()]
    return table(header, rows)


def write_report(run: Run, num_pictures: int) -> str:
    """Write table, heat map and pictures into the folder of the probe; returns the table."""
    measured, folder = list(run.folder.read().values()), run.folder.folder
    noise = (run.generator.noise_setting or 'noise').rstrip('s').replace('_', ' ')
    best_first = ranked(measured)
    text = format_table(best_first, noise)
    (folder / TABLE).write_text(text + '\n', encoding='utf-8')
    _write_csv(best_first, folder / COLUMNS)
    _draw_chart(measured, noise, run, folder / CHART)
    if num_pictures:
        chosen = best_of_each_kind(best_first, run)
        Image.fromarray(draw_components(run, chosen, num_pictures)).save(folder / PICTURE)
    return text


def _noise(record: Record) -> str:
    return '' if record.noise is None else f'{record.noise:g}'


def _write_csv(records: Sequence[Record], path: Path) -> None:
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        names = list(Record.__dataclass_fields__)
        writer.writerow(names)
        writer.writerows([getattr(record, name) for name in names] for record in records)


def _draw_chart(records: Sequence[Record], noise: str, run: Run, path: Path) -> None:
    names = [*dict.fromkeys(record.map for record in records)]
    levels = sorted({record.noise for record in records},
                    key=lambda level: -math.inf if level is None else level)
    found = {record.key: record for record in records}
    read = {record.map for record in records if record.is_read}

    def values(figure: str) -> list[list[float]]:
        return [[getattr(found.get((name, level)), figure, math.nan) for level in levels]
                for name in names]

    draw_heat_maps(
        {'Linear probe, mIoU in %': values('probe_miou'),
         'Clusters matched to classes, mIoU in %': values('cluster_miou')},
        [f'{name} •' if name in read else name for name in names],
        ['none' if level is None else f'{level:g}' for level in levels], path,
        title=f'{run.settings.config.stem}: maps over {noise}s', xlabel=noise,
        note='• read by the config' if read else '')
