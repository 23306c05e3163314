"""mIoU of all classes of a panoptic data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from mmdet.evaluation import SemSegMetric
from mmdet.registry import METRICS
from torch import Tensor

from .metainfo import check_known
from .panoptic_truth import PanopticTruth


@METRICS.register_module()
class OpenVocabularySemanticMetric(SemSegMetric):
    """mmdet's ``SemSegMetric`` for panoptic data sets and vocabularies of any size.

    It differs in this:

    - The ground truth are panoptic annotations at the image's original size: every pixel of a
      segment, a group of things too, has its class; the rest is void and does not count.
    - Means are over the classes that occur in the ground truth, as in detectron2, with which the
      official release evaluates; mmdet counts those that were only predicted as 0.
    - ``aAcc`` is the share of pixels that are right; mmdet calls ``mAcc`` by both names.
    - No label means void: mmdet leaves out the class of label 255.

    Args:
        ann_file (str): COCO's panoptic JSON file.
        seg_prefix (str): The folder of its PNG files.
        **kwargs: As for ``SemSegMetric``.

    Raises:
        ValueError: When the data set is known, if its classes are not in ``ann_file``.
    """

    default_prefix = 'semantic'

    def __init__(self, ann_file: str, seg_prefix: str, **kwargs) -> None:
        super().__init__(**kwargs)
        self._truth = PanopticTruth(ann_file, seg_prefix, self.backend_args)

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping) -> None:
        labels = {name: label for label, name in enumerate(dataset_meta['classes'])}
        names = {category['name']: category['id'] for category in self._truth.categories}
        check_known(tuple(labels), names, 'classes', 'categories of ann_file')
        self._label_of = {names[name]: label for name, label in labels.items()}
        self._dataset_meta = dict(dataset_meta)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Compare results with the ground truth.

        Args:
            data_batch: Not read.
            data_samples: Each with ``img_id``, ``img_path`` and ``pred_sem_seg``.
        """
        void = len(self.dataset_meta['classes'])
        super().process(data_batch, [
            {**sample,
             'pred_sem_seg': {**sample['pred_sem_seg'], 'ignore_index': void},
             'gt_sem_seg': dict(sem_seg=self._read_labels(sample['img_id'], void))}
            for sample in data_samples
        ])

    def get_return_metrics(self, results: list[dict[str, Tensor]]) -> dict[str, np.ndarray]:
        """Figures of each class, nan where the ground truth has none of it.

        Args:
            results: Areas of each image, as ``process`` has stored them.
        """
        # in float32 a sum over a data set would lose pixels
        results = [{key: areas.double() for key, areas in result.items()} for result in results]
        label, intersect = (
            sum(result[key] for result in results).numpy()
            for key in ('area_label', 'area_intersect'))
        figures = super().get_return_metrics(results)
        figures = {key: np.where(label > 0, value, np.nan) for key, value in figures.items()}
        return {**figures, 'aAcc': intersect.sum() / label.sum()}

    def _read_labels(self, image_id: int, void: int) -> Tensor:
        segment_ids, segments = self._truth.read(image_id)
        labels = np.full(segment_ids.shape, void)
        for segment in segments:
            labels[segment_ids == segment['id']] = self._label_of.get(segment['category_id'], void)
        return torch.from_numpy(labels)
