"""The segments as a table, a row each."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..panoptic_result import PanopticResult
    from ..segment import Segment

COLUMNS = ('id', 'name', 'kind', 'score', 'area', 'share', 'left', 'top', 'right', 'bottom',
           'runners_up')


def encode_csv(result: PanopticResult, path: Path) -> dict[Path, bytes]:
    """Make a CSV, UTF-8, see :func:`table_rows`; a score that is not known is empty."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator='\n')
    table.writeheader()
    for row in table_rows(result):
        table.writerow({key: '' if _is_unknown(value) else value for key, value in row.items()})
    return {path: text.getvalue().encode()}


def table_rows(result: PanopticResult) -> list[dict]:
    """A row per segment: the columns of :class:`Segment`, and its ``share`` of the image."""
    return [_row(segment, result.segment_ids.size) for segment in result.segments]


def _row(segment: Segment, num_pixels: int) -> dict:
    others = '; '.join(f'{name} {score:.3f}' for name, score in segment.runners_up)
    values = (segment.id, segment.name, 'thing' if segment.is_thing else 'stuff', segment.score,
              segment.area, segment.area / num_pixels, *segment.box, others)
    return dict(zip(COLUMNS, values, strict=True))


def _is_unknown(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
