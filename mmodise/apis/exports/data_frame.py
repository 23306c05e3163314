"""The segments as a table of pandas'."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...utils.optional import import_optional
from .segment_table import COLUMNS, table_rows

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..panoptic_result import PanopticResult


def to_pandas(result: PanopticResult) -> DataFrame:
    """Make a table with a row per segment, see :func:`table_rows`.

    Raises:
        ImportError: If pandas is not installed.
    """
    pandas = import_optional('pandas', extra='pandas')
    return pandas.DataFrame(table_rows(result), columns=COLUMNS)
