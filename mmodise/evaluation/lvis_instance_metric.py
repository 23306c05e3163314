"""Mask AP of LVIS: all classes, and rare, common and frequent ones apart."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from mmdet.datasets.api_wrappers import COCO, COCOeval
from mmdet.registry import METRICS
from mmengine.logging import MMLogger, print_log
from terminaltables import AsciiTable

from .federated_evaluation import FederatedEvaluation, average_precision
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

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping) -> None:
        self._truth.take_names(dataset_meta['classes'])
        OpenVocabularyInstanceMetric.dataset_meta.fset(self, dataset_meta)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the metrics.

        Args:
            results: What ``process`` has stored: an element per image.
        """
        metrics = super().compute_metrics(results)
        if metrics:
            print_log('\n' + AsciiTable([['metric', 'AP in %'], *(
                [key, f'{100 * value:.1f}'] for key, value in metrics.items())]).table,
                MMLogger.get_current_instance())
        return metrics

    def _set_params(self, params: object) -> None:
        super()._set_params(params)
        params.maxDets = [self._max_detections]

    def _make_evaluation(
        self, kind: str, image: Mapping, truth: COCO, detections: COCO
    ) -> FederatedEvaluation:
        entry = self._truth.find(image)
        absent, incomplete = ({image['id']: frozenset(entry.get(key) or ())} for key in _OPEN)
        evaluation = FederatedEvaluation(
            truth, detections, kind, absent, incomplete, self._max_detections)
        self._set_params(evaluation.params)
        return evaluation

    def _figures(self, evaluation: COCOeval, kind: str) -> dict[str, float]:
        precisions = self._note_classes(evaluation, kind)
        ap = partial(average_precision, evaluation)
        figures = dict(AP=ap(), AP50=ap(iou=0.5), AP75=ap(iou=0.75))
        figures |= {f'AP{key}': ap(area=area) for key, area in _AREAS.items()}
        for key in 'rcf':
            figures[f'AP{key}'] = ap(category_ids=[
                category['id'] for category in self._categories
                if category.get('frequency') == key])
        figures = {f'{kind}_{key}': value for key, value in figures.items()}
        return figures | self._of_groups(precisions, f'{kind}_AP')
