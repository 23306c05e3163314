"""Tables, figures of classes and charts of a test on several data sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.evaluator import Evaluator
from mmengine.fileio import dump
from mmengine.logging import print_log

from ...utils.whole_file_backend import WholeFileBackend
from ..class_figures import ClassFigures, write_csv
from .tables import FIGURES, Columns, check_tables, in_percent, is_oracle, markdown


class DataSetsReport:
    """Collects the figures of data sets, and writes them.

    Into ``folder`` go ``tables.md``, laid out as in papers, a row a model and columns of data sets,
    and ``tables.csv`` with the same; ``figures.csv`` and ``figures.json`` with all figures; and for
    each data set ``NAME/classes.csv`` and ``NAME/classes_FIGURE.png``, classes apart that were not
    seen in training. Figures under oracle vocabularies are called so, see :class:`OwnVocabulary`.

    Args:
        folder (Path): Where it is written.
        model (str): What the model is called.
        names (Sequence[str]): Of the data sets.
        tables (Mapping[str, Mapping[str, Sequence[str]]], optional): By title, of each data set the
            figures that are its columns, of :data:`FIGURES`. Defaults to None, one table of all
            that there are.
        references (Mapping[str, Mapping], optional): Further rows, by what they are called, such as
            what a paper reports: of each data set figures of :data:`FIGURES`, in percent. One
            stands in the tables for which it has a figure. Defaults to None.

    Raises:
        ValueError: If a table or a reference names another data set or figure.
    """

    def __init__(
        self,
        folder: Path,
        model: str,
        names: Sequence[str],
        tables: Mapping[str, Columns] | None = None,
        references: Mapping[str, Mapping] | None = None,
    ) -> None:
        self._folder, self._model, self._names = folder, model, names
        self._tables, self._references = tables or {}, references or {}
        check_tables(self._tables, self._references, names)
        self._figures: dict[str, dict[str, float]] = {}
        self._left_out: dict[str, str] = {}

    def leave_out(self, name: str, why: str) -> None:
        """Note that the data of a set are not there."""
        self._left_out[name] = why

    def add(self, name: str, figures: Mapping[str, float], evaluator: Evaluator) -> None:
        """Take the figures of a data set; write those of its classes."""
        self._figures[name] = dict(figures)
        ClassFigures.of(evaluator.metrics, evaluator.dataset_meta).write(self._folder / name, name)

    def write(self) -> None:
        """Write tables and figures, and the tables into the log."""
        tables = {title: (columns, self._rows(columns))
                  for title, columns in (self._tables or self._all_figures()).items()}
        text = '\n'.join(markdown(title, *table) for title, table in tables.items())
        text += ''.join(
            f'\n{name} was left out: {why}\n' for name, why in self._left_out.items())
        WholeFileBackend().put_text(text, self._folder / 'tables.md')
        write_csv(self._folder / 'tables.csv', ('table', 'row', 'data set', 'figure', 'value'), [
            (title, row, name, key, float(figures[name][key]))
            for title, (columns, rows) in tables.items() for row, figures in rows.items()
            for name, keys in columns.items() for key in keys
            if not math.isnan(figures.get(name, {}).get(key, math.nan))])
        write_csv(self._folder / 'figures.csv', ('data set', 'figure', 'value'), [
            (name, key, value) for name, figures in self._figures.items()
            for key, value in figures.items()])
        dump(self._figures, str(self._folder / 'figures.json'), indent=1)
        print_log(f'\n{text}\nTables, figures and charts are in {self._folder}', 'current')

    def _rows(self, columns: Columns) -> dict[str, Mapping]:
        """References that have one of the columns, and the model itself."""
        rows = {row: figures for row, figures in self._references.items() if any(
            set(keys).intersection(figures.get(name, ())) for name, keys in columns.items())}
        oracle = any(is_oracle(self._figures.get(name, {}), key)
                     for name, keys in columns.items() for key in keys)
        return rows | {f'{self._model} (oracle)' if oracle else self._model: {
            name: {key: in_percent(figures, key) for key in FIGURES}
            for name, figures in self._figures.items()}}

    def _all_figures(self) -> Mapping[str, Columns]:
        return {'All data sets': {
            name: keys for name, figures in self._figures.items()
            if (keys := [key for key in FIGURES if not math.isnan(in_percent(figures, key))])}}
