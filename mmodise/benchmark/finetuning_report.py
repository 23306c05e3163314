"""What fine-tuning keeps and gains: a table and a picture from the records of finished runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..evaluation import Spread
from .charts import draw_bars
from .comparison import table

BEFORE = 'before'
#: Trainings: their configs. The first is the shipped model, as it is.
LINES = {
    BEFORE: 'odise/odise_sd-small_shapes-panoptic.py',
    'plain': 'finetuning/odise_sd-small_own-shapes.py',
    'all-count': 'finetuning/odise_sd-small_own-and-original-shapes-all-count.py',
    'recipe': 'finetuning/odise_sd-small_own-and-original-shapes.py',
}
#: Groups of classes, and what the table calls them.
GROUPS = dict(annotated='annotated now', never='never annotated', base='annotated before')


class Row(NamedTuple):
    """A training, and the share of what was fine-tuned in the average with the start."""

    line: str
    share: str
    title: str


ROWS = (
    Row(BEFORE, '0', 'before'),
    Row('plain', '1', 'plain fine-tuning'),
    Row('plain', '0.5', 'plain, averaged with before'),
    Row('all-count', '1', 'own and original pictures, all pixels count'),
    Row('recipe', '1', 'own and original pictures, void ignored'),
    Row('recipe', '0.75', 'the same, averaged 3 : 1 with before'),
)


def read_records(path: Path) -> dict[str, dict[int, dict]]:
    """Records by line, then by seed; of several of one run the last one counts."""
    text = path.read_text(encoding='utf-8') if path.is_file() else ''
    names = {Path(config).stem: line for line, config in LINES.items()}
    records = {line: {} for line in LINES}
    for record in map(json.loads, text.splitlines()):
        records[names[record['config']]][record['seed']] = record
    return records


def quality(records: Mapping[str, dict[int, dict]], row: Row, group: str) -> Spread:
    """PQ of a group of classes over the seeds."""
    return Spread.of(run['shares'][row.share][group] for run in records[row.line].values())


def format_table(records: Mapping[str, dict[int, dict]]) -> str:
    """All rows, in Markdown; what is kept is a share of the mean before."""
    before = quality(records, ROWS[0], 'never').mean
    rows = []
    for row in ROWS:
        found = {group: quality(records, row, group) for group in GROUPS}
        rows.append([row.title, len(records[row.line]), *found.values(),
                     f'{found["never"].mean / before:.0%}'])
    return table(['', 'seeds', *GROUPS.values(), 'kept of never annotated'], rows)


def write_report(docs: Path) -> str:
    """Draw the picture, DOCS/images/finetuning.png; returns the table."""
    records = read_records(docs / 'finetuning/records.jsonl')
    (docs / 'images').mkdir(parents=True, exist_ok=True)
    bars = {title: [quality(records, row, group) for row in ROWS]
            for group, title in GROUPS.items()}
    draw_bars([row.title for row in ROWS], bars, docs / 'images/finetuning.png',
              title='Panoptic quality, mean and standard deviation over seeds', xlabel='PQ')
    return format_table(records)
