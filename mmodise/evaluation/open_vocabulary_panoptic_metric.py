"""Panoptic quality, apart for classes that were annotated in training and classes that were not."""

from __future__ import annotations

from collections.abc import Mapping

from mmdet.registry import METRICS
from mmengine.logging import MMLogger, print_log
from panopticapi.evaluation import PQStat
from terminaltables import AsciiTable

from ..datasets.panoptic.classes import check_known
from .checked_panoptic_metric import CheckedPanopticMetric, only_present
from .own_vocabulary import name_figures


@METRICS.register_module()
class OpenVocabularyPanopticMetric(CheckedPanopticMetric):
    """Panoptic quality, plus base and novel classes apart.

    Where the data set's metainfo has ``novel_classes`` (some of its ``classes``), the results have
    also ``base_PQ``, ``base_SQ``, ``base_RQ``, ``novel_PQ``, ``novel_SQ`` and ``novel_RQ``, in
    percent: averages over the classes of that group that occur in the ground truth or in the
    predictions. A group of which none does has no figures.

    Args:
        **kwargs: As for :class:`CheckedPanopticMetric`: ``ann_file``, ``seg_prefix``,
            ``outfile_prefix``, …

    Raises:
        ValueError: When the data set is known, if its novel classes are not among its classes.
    """

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set, its thing classes called as in ``classes``."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping) -> None:
        novel_classes = dataset_meta.get('novel_classes') or ()
        check_known(novel_classes, tuple(dataset_meta['classes']), 'novel_classes', 'classes')
        CheckedPanopticMetric.dataset_meta.fset(self, dataset_meta)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the metrics, in percent.

        Args:
            results: What ``process`` has stored: an element per image.
        """
        metrics = super().compute_metrics(results)
        novel_classes = self.dataset_meta.get('novel_classes')
        if novel_classes and not self.format_only:
            pq_stat = PQStat()
            for stat, *_ in results:
                pq_stat += PQStat() if stat is None else stat
            metrics.update(name_figures(
                self._evaluate_groups(pq_stat, set(novel_classes)), only_present(results)))
        return metrics

    def _evaluate_groups(self, pq_stat: PQStat, novel_classes: set[str]) -> dict[str, float]:
        rows, metrics = [['', 'PQ', 'SQ', 'RQ', 'categories']], {}
        for group, is_novel in (('base', False), ('novel', True)):
            categories = {
                label: category
                for label, category in self.categories.items()
                if (category['name'] in novel_classes) == is_novel
            }
            quality = _average(pq_stat, categories)
            if quality is None:
                rows.append([group.title(), '-', '-', '-', 0])
                continue
            values = {f'{group}_{key.upper()}': 100 * quality[key] for key in ('pq', 'sq', 'rq')}
            metrics.update(values)
            rows.append([group.title(), *(f'{v:.3f}' for v in values.values()), quality['n']])
        print_log(
            'Panoptic Evaluation Results, base and novel classes:\n' + AsciiTable(rows).table,
            logger=MMLogger.get_current_instance(),
        )
        return metrics


def _average(pq_stat: PQStat, categories: dict[int, dict]) -> dict[str, float] | None:
    """Means over the categories that occur, and their number ``n``; None if none does."""
    stats = (pq_stat[label] for label in categories)
    if not any(stat.tp + stat.fp + stat.fn for stat in stats):
        return None
    return pq_stat.pq_average(categories, isthing=None)[0]
