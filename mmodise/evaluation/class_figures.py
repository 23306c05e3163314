"""Figures of each class: collected from metrics, written as a table and charts, and read again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.evaluator import BaseMetric

from ..utils.whole_file_backend import WholeFileBackend
from ..vocabulary import Vocabulary
from .class_chart import draw_classes
from .own_vocabulary import ORACLE

FILE_NAME = 'classes.csv'
#: Main figures, of which there are charts.
MAIN_FIGURES = ('PQ', 'AP', 'IoU', 'recall')
_CLASS, _SEEN = 'class', 'seen in training'


class ClassFigures(NamedTuple):
    """Figures by class.

    Args:
        values (dict[str, dict[str, float]]): In percent, by class and figure.
        seen (dict[str, bool]): By class; empty if nothing says so.
    """

    values: dict[str, dict[str, float]]
    seen: dict[str, bool]

    @classmethod
    def of(cls, metrics: Iterable[BaseMetric], metainfo: Mapping) -> ClassFigures:
        """What metrics have in ``per_class`` after an evaluation.

        Args:
            metrics (Iterable[BaseMetric]): The metrics.
            metainfo (Mapping): With ``classes``, and perhaps ``novel_classes``.
        """
        found: dict[str, dict[str, float]] = {}
        for metric in metrics:
            for name, figures in getattr(metric, 'per_class', {}).items():
                found.setdefault(name, {}).update(figures)
        if not found:
            return cls({}, {})
        novel = metainfo.get('novel_classes')
        values = {name: found[name] for name in metainfo['classes'] if name in found}
        return cls(values, {} if novel is None else {
            name: name not in novel for name in values})

    @property
    def keys(self) -> list[str]:
        """The figures that there are."""
        return list(dict.fromkeys(key for figures in self.values.values() for key in figures))

    @property
    def main_keys(self) -> list[str]:
        """Those that there are charts of; with oracle vocabularies they begin with 'oracle_'."""
        return [key for key in self.keys if key.removeprefix(ORACLE) in MAIN_FIGURES]

    def column(self, key: str) -> dict[str, float]:
        """One figure of the classes that have it."""
        return {name: figures[key] for name, figures in self.values.items() if key in figures}

    def write(self, folder: Path, title: str) -> None:
        """Write ``classes.csv`` and a chart of each main figure; nothing if there is no class.

        Args:
            folder (Path): Where to.
            title (str): Of the charts, such as the name of the data set.
        """
        if not self.values:
            return
        keys = self.keys
        write_csv(folder / FILE_NAME, (_CLASS, _SEEN, *keys), [
            (name, '' if not self.seen else 'yes' if self.seen[name] else 'no',
             *(figures.get(key, '') for key in keys)) for name, figures in self.values.items()])
        novel = {name for name, is_seen in self.seen.items() if not is_seen}
        for key in self.main_keys:
            draw_classes(self.column(key), folder / f'classes_{key}.png',
                         f'{title}: {key.replace("_", " ")} in percent', novel)

    @classmethod
    def read(cls, path: Path) -> ClassFigures:
        """Read ``classes.csv``.

        Raises:
            FileNotFoundError: If it is not there.
            ValueError: If it is no such table.
        """
        if not path.is_file():
            raise FileNotFoundError(f'There is no file {path}.')
        with path.open(encoding='utf-8', newline='') as file:
            rows = list(csv.DictReader(file))
        if not rows or not {_CLASS, _SEEN} <= set(rows[0]):
            raise ValueError(f'{path} has no columns {_CLASS!r} and {_SEEN!r}: it is no table of '
                             'classes that a test has written.')
        try:
            values = {row[_CLASS]: {key: float(value) for key, value in row.items()
                                    if key not in (_CLASS, _SEEN) and value} for row in rows}
        except (TypeError, ValueError) as error:
            raise ValueError(f'{path} has an entry that is no number: {error}') from error
        return cls(values, {row[_CLASS]: row[_SEEN] == 'yes' for row in rows if row[_SEEN]})


def with_novel_classes(metainfo: Mapping, model: object) -> dict:
    """A metainfo that says which classes a model was not trained with, if it did not say so.

    Args:
        metainfo (Mapping): Of a data set.
        model (object): Perhaps with ``panoptic_head.vocabulary``, that of its training.
    """
    model = getattr(model, 'module', model)
    training = getattr(getattr(model, 'panoptic_head', None), 'vocabulary', None)
    if (training is None or 'classes' not in metainfo
            or metainfo.get('novel_classes') is not None):
        return dict(metainfo)
    seen = Vocabulary.from_metainfo(metainfo).seen_in(training)
    return dict(metainfo, novel_classes=tuple(
        name for name, is_seen in zip(metainfo['classes'], seen, strict=True) if not is_seen))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table, UTF-8, numbers with four decimals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(header)
    writer.writerows([f'{cell:.4f}' if isinstance(cell, float) else cell for cell in row]
                     for row in rows)
    WholeFileBackend().put_text(text.getvalue(), path)
