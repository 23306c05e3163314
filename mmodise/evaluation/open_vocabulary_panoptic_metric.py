"""Panoptic quality, apart for classes that were annotated in training and classes that were not."""

from __future__ import annotations

import os.path as osp
from collections.abc import Mapping, Sequence

from mmdet.evaluation import CocoPanopticMetric
from mmdet.evaluation.functional import pq_compute_multi_core
from mmdet.registry import METRICS
from mmengine.fileio import load
from mmengine.logging import MMLogger, print_log
from panopticapi.evaluation import PQStat
from terminaltables import AsciiTable

from .metainfo import check_known, thing_classes


@METRICS.register_module()
class OpenVocabularyPanopticMetric(CocoPanopticMetric):
    """mmdet's ``CocoPanopticMetric``, plus base and novel classes apart.

    Where the data set's metainfo has ``novel_classes`` (some of its ``classes``), the results have
    also ``base_PQ``, ``base_SQ``, ``base_RQ``, ``novel_PQ``, ``novel_SQ`` and ``novel_RQ``, in
    percent: averages over the classes of that group that occur in the ground truth or in the
    predictions, nan if none does.

    Two further differences. A label is the place of a class in the metainfo's ``classes``, whatever
    the order of the categories in the annotation file; mmdet mistakes one class for another where
    the orders differ. And ``thing_classes`` may hold synonyms: the things are the first
    ``len(thing_classes)`` of ``classes``.

    Args:
        **kwargs: As for ``CocoPanopticMetric``: ``ann_file``, ``seg_prefix``, ``outfile_prefix``, …

    Raises:
        ValueError: When the data set is known, if its classes are not in ``ann_file``, or its
            novel classes not among its classes.
    """

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set, its thing classes called as in ``classes``."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping) -> None:
        classes = tuple(dataset_meta['classes'])
        check_known(dataset_meta.get('novel_classes') or (), classes, 'novel_classes', 'classes')
        if self._coco_api is not None:
            self._order_categories(classes)
        self._dataset_meta = dict(dataset_meta, thing_classes=thing_classes(dataset_meta))

    def _order_categories(self, classes: tuple[str, ...]) -> None:
        """Put the annotation file's categories in the order of the labels.

        mmdet takes the n-th category of the file that is one of ``classes`` for label n.
        """
        categories = {category['name']: category for category in self._coco_api.cats.values()}
        check_known(classes, categories, 'classes', 'categories of ann_file')
        self._coco_api.dataset['categories'] = [categories[name] for name in classes]

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the metrics, in percent.

        Args:
            results: What ``process`` has stored: an element an image.
        """
        metrics = super().compute_metrics(results)
        novel_classes = self.dataset_meta.get('novel_classes')
        if novel_classes and not self.format_only:
            metrics.update(self._evaluate_groups(self._sum_up(results), set(novel_classes)))
        return metrics

    def _sum_up(self, results: list) -> PQStat:
        """Matches of all images; mmdet keeps its own sum to itself."""
        if self.tmp_dir is None:
            return self._match_files([gt for gt, _ in results])
        pq_stat = PQStat()
        for result in results:
            pq_stat += result
        return pq_stat

    def _match_files(self, gts: Sequence[dict]) -> PQStat:
        """Match anew what ``super().compute_metrics`` has written under ``outfile_prefix``."""
        predictions = load(f'{self.outfile_prefix}.panoptic.json')['annotations']
        pairs = [(self._ground_truth(pred['image_id']), pred) for pred in predictions]
        gt_folder = self.seg_prefix or osp.dirname(gts[0]['seg_map_path'])
        return pq_compute_multi_core(
            pairs, gt_folder, self.seg_out_dir, self.categories, self.backend_args, self.nproc
        )

    def _ground_truth(self, image_id: int) -> dict:
        return dict(
            image_id=image_id,
            segments_info=self._coco_api.imgToAnns[image_id],
            file_name=self._coco_api.imgs[image_id]['segm_file'],
        )

    def _evaluate_groups(self, pq_stat: PQStat, novel_classes: set[str]) -> dict[str, float]:
        rows, metrics = [['', 'PQ', 'SQ', 'RQ', 'categories']], {}
        for group, is_novel in (('base', False), ('novel', True)):
            categories = {
                category_id: category
                for category_id, category in self.categories.items()
                if (category['name'] in novel_classes) == is_novel
            }
            quality = _average(pq_stat, categories)
            values = {f'{group}_{key.upper()}': 100 * quality[key] for key in ('pq', 'sq', 'rq')}
            metrics.update(values)
            rows.append([group.title(), *(f'{v:.3f}' for v in values.values()), quality['n']])
        print_log(
            'Panoptic Evaluation Results, base and novel classes:\n' + AsciiTable(rows).table,
            logger=MMLogger.get_current_instance(),
        )
        return metrics


def _average(pq_stat: PQStat, categories: dict[int, dict]) -> dict[str, float]:
    """Means over the categories that occur, and their number ``n``."""
    stats = (pq_stat[category_id] for category_id in categories)
    if not any(stat.tp + stat.fp + stat.fn for stat in stats):
        return dict(pq=float('nan'), sq=float('nan'), rq=float('nan'), n=0)
    return pq_stat.pq_average(categories, isthing=None)[0]
