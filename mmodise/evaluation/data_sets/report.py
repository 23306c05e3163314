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
from ..own_vocabulary import find_figure

#: Figures of the papers: their keys in the metrics, and what makes percent of them.
FIGURES = {
    'PQ': ('coco_panoptic/PQ', 1), 'PQ base': ('coco_panoptic/base_PQ', 1),
    'PQ novel': ('coco_panoptic/novel_PQ', 1),
    'AP': ('coco/segm_mAP', 100), 'AP50': ('coco/segm_mAP_50', 100),
    'LVIS AP': ('lvis/segm_AP', 100), 'LVIS AP50': ('lvis/segm_AP50', 100),
    'APr': ('lvis/segm_APr', 100),
    'APc': ('lvis/segm_APc', 100), 'APf': ('lvis/segm_APf', 100),
    'mIoU': ('semantic/mIoU', 1), 'mIoU base': ('semantic/base_mIoU', 1),
    'mIoU novel': ('semantic/novel_mIoU', 1),
    'recall': ('class_agnostic/recall50', 1)}


class DataSetsReport:
    """Collects the figures of data sets, and writes them.

    Into ``folder`` go ``tables.md``, laid out as in papers, a row a model and columns of data sets;
    ``figures.csv`` and ``figures.json`` with all figures; and for each data set
    ``NAME/classes.csv`` and ``NAME/classes_FIGURE.png``, classes apart that were not seen in
    training. Figures under oracle vocabularies are called so, see :class:`OwnVocabulary`.

    Args:
        folder (Path): Where it is written.
        model (str): What the model is called.
        names (Sequence[str]): Of the data sets.
        tables (Mapping[str, Mapping[str, Sequence[str]]], optional): By title, of each data set the
            figures that are its columns, of :data:`FIGURES`. Defaults to None, one table of all
            that there are.

    Raises:
        ValueError: If a table names another data set or figure.
    """

    def __init__(
        self,
        folder: Path,
        model: str,
        names: Sequence[str],
        tables: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    ) -> None:
        self._folder, self._model, self._names = folder, model, names
        self._tables = tables
        self._figures: dict[str, dict[str, float]] = {}
        self._left_out: dict[str, str] = {}
        for title, columns in (tables or {}).items():
            for name, keys in columns.items():
                unknown = set(keys).difference(FIGURES)
                if name not in names or unknown:
                    what = f'the data set {name!r}' if name not in names else f'{unknown} of {name}'
                    raise ValueError(f'tables: {title!r} asks for {what}. There are the data sets '
                                     f'{", ".join(names)} and the figures {", ".join(FIGURES)}.')

    def leave_out(self, name: str, why: str) -> None:
        """Note that the data of a set are not there."""
        self._left_out[name] = why

    def add(self, name: str, figures: Mapping[str, float], evaluator: Evaluator) -> None:
        """Take the figures of a data set; write those of its classes."""
        self._figures[name] = dict(figures)
        ClassFigures.of(evaluator.metrics, evaluator.dataset_meta).write(self._folder / name, name)

    def write(self) -> None:
        """Write tables and figures, and the tables into the log."""
        text = '\n'.join(self._table(*table) for table in self._all_tables().items())
        text += ''.join(
            f'\n{name} was left out: {why}\n' for name, why in self._left_out.items())
        WholeFileBackend().put_text(text, self._folder / 'tables.md')
        write_csv(self._folder / 'figures.csv', ('data set', 'figure', 'value'), [
            (name, key, value) for name, figures in self._figures.items()
            for key, value in figures.items()])
        dump(self._figures, str(self._folder / 'figures.json'), indent=1)
        print_log(f'\n{text}\nTables, figures and charts are in {self._folder}', 'current')

    def value(self, name: str, key: str) -> float:
        """A figure of :data:`FIGURES` in percent, or the oracle's; nan if there is none."""
        found = self._find(name, key)
        return math.nan if found is None else FIGURES[key][1] * float(found[1])

    def _find(self, name: str, key: str) -> tuple[str, float] | None:
        return find_figure(self._figures.get(name, {}), FIGURES[key][0])

    def _title(self, name: str, key: str) -> str:
        found = self._find(name, key)
        return f'{name} {key} (oracle)' if found and found[0] else f'{name} {key}'

    def _all_tables(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        if self._tables:
            return self._tables
        return {'All data sets': {
            name: keys for name in self._names
            if (keys := [key for key in FIGURES if not math.isnan(self.value(name, key))])}}

    def _table(self, title: str, columns: Mapping[str, Sequence[str]]) -> str:
        pairs = [(name, key) for name, keys in columns.items() for key in keys]
        rows = [['', *(self._title(*pair) for pair in pairs)], ['---'] * (len(pairs) + 1)]
        values = [self.value(*pair) for pair in pairs]
        rows.append([self._model, *('-' if math.isnan(v) else f'{v:.1f}' for v in values)])
        lines = '\n'.join(f'| {" | ".join(row)} |' for row in rows)
        return f'**{title}**\n\n{lines}\n'
