"""Mask AP of LVIS: all classes, and rare, common and frequent ones apart."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout

from mmdet.registry import METRICS
from mmengine.logging import MMLogger, print_log
from terminaltables import AsciiTable

from .federated_evaluation import FederatedEvaluation
from .instance_truth import index_instances
from .open_vocabulary_instance_metric import OpenVocabularyInstanceMetric

_OPEN = ('neg_category_ids', 'not_exhaustive_category_ids')
_AREAS = {'s': 'small', 'm': 'medium', 'l': 'large'}


@METRICS.register_module()
class LVISInstanceMetric(OpenVocabularyInstanceMetric):
    """AP by LVIS's federated rule, from its own file, without the package ``lvis``.

    Figures are called as those of mmdet's ``LVISMetric``, from 0 to 1: ``segm_AP``, ``AP50``,
    ``AP75``, ``APs``, ``APm``, ``APl``, and ``APr``, ``APc``, ``APf`` of rare, common and frequent
    classes; those of which nothing is annotated are not there. After the evaluation ``per_class``
    has AP of each class that is annotated, in percent, by name.

    If the file has as many categories as there are classes, the order of their ids is that of the
    classes, for LVIS's file spells a name otherwise than others do; else they are found by name.

    Args:
        ann_file (str): ``lvis_v1_val.json``, or one in its layout; without frequencies there are
            no figures of rare, common and frequent classes.
        metric (str | list[str]): 'segm', 'bbox' or both. Defaults to 'segm'.
        max_detections (int): Detections of an image that count. Defaults to 300.
        **kwargs: As for :class:`OpenVocabularyInstanceMetric`.

    Raises:
        FileNotFoundError: If ``ann_file`` is not there.
        ValueError: If it is not valid, or its classes are others.
    """

    default_prefix = 'lvis'

    def __init__(
        self,
        ann_file: str,
        metric: str | list[str] = 'segm',
        max_detections: int = 300,
        **kwargs,
    ) -> None:
        super().__init__(ann_file, metric=metric, **kwargs)
        unknown = set(self.metrics).difference(('segm', 'bbox'))
        if unknown:
            raise ValueError(f"{type(self).__name__}: metric={metric!r}, expected 'segm' or 'bbox'")
        self._max_detections = max_detections
        self.per_class: dict[str, dict[str, float]] = {}

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping) -> None:
        self._truth.take_names(dataset_meta['classes'])
        OpenVocabularyInstanceMetric.dataset_meta.fset(self, dataset_meta)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Note results, the annotations of their images, and what these leave open.

        Args:
            data_batch: Not read.
            data_samples: Each with ``img_id``, ``ori_shape`` and ``pred_instances``.
        """
        first = len(self.results)
        super().process(data_batch, data_samples)
        for (truth, _), sample in zip(self.results[first:], data_samples, strict=True):
            image = self._truth.find(sample)
            truth.update({key: image.get(key) for key in _OPEN})

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the metrics.

        Args:
            results: What ``process`` has stored: an element per image.
        """
        if self.format_only:
            return super().compute_metrics(results)
        chosen, metrics = self._index(results), {}
        for kind in self.metrics:
            detections = index_instances(
                self._categories, self._coco_api.dataset['images'],
                [detection for _, pred in chosen for detection in self._detections(pred, kind)])
            evaluation = FederatedEvaluation(
                self._coco_api, detections, kind, *map(self._listed, _OPEN),
                self._max_detections)
            evaluation.params.catIds, evaluation.params.imgIds = self.cat_ids, self.img_ids
            with redirect_stdout(io.StringIO()):  # it prints how long it took
                evaluation.evaluate()
                evaluation.accumulate()
            figures = self._figures(evaluation)
            metrics.update({f'{kind}_{key}': value for key, value in figures.items()})
            self._note_classes(evaluation, kind)
        print_log('\n' + AsciiTable([
            ['metric', 'AP in %'], *([key, f'{100 * value:.1f}'] for key, value in metrics.items())
        ]).table, MMLogger.get_current_instance())
        return self._name(metrics, results)

    def _detections(self, pred: Mapping, kind: str) -> list[dict]:
        found = []
        for place, label in enumerate(pred['labels'].tolist()):
            detection = dict(image_id=pred['img_id'], category_id=self.cat_ids[label],
                             iscrowd=0, score=float(pred['scores'][place]))
            if kind == 'segm':
                detection['segmentation'] = pred['masks'][place]
                detection['score'] = float(pred.get('mask_scores', pred['scores'])[place])
            else:
                left, top, right, bottom = pred['bboxes'][place].tolist()
                detection['bbox'] = [left, top, right - left, bottom - top]
            found.append(detection)
        return found

    def _listed(self, key: str) -> dict:
        return {image['id']: frozenset(image.get(key) or ())
                for image in self._coco_api.dataset['images']}

    def _figures(self, evaluation: FederatedEvaluation) -> dict[str, float]:
        ap = evaluation.average_precision
        figures = dict(AP=ap(), AP50=ap(iou=0.5), AP75=ap(iou=0.75))
        figures |= {f'AP{key}': ap(area=area) for key, area in _AREAS.items()}
        for key in 'rcf':
            figures[f'AP{key}'] = ap([category['id'] for category in self._categories
                                      if category.get('frequency') == key])
        return {key: value for key, value in figures.items() if not math.isnan(value)}

    def _note_classes(self, evaluation: FederatedEvaluation, kind: str) -> None:
        name = 'AP' if kind == 'segm' else 'box AP'
        for label, category_id in enumerate(self._category_ids):
            value = evaluation.average_precision([category_id])
            if not math.isnan(value):
                figures = self.per_class.setdefault(self.dataset_meta['classes'][label], {})
                figures[name] = 100 * value
