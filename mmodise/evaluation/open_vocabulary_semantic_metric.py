"""mIoU of all classes of a panoptic data set."""

from __future__ import annotations

import os.path as osp
from collections.abc import Mapping, Sequence

import mmcv
import numpy as np
import torch
from mmdet.evaluation import SemSegMetric
from mmdet.registry import METRICS
from torch import Tensor

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
    - Maps in ``output_dir`` are called as those of :class:`CheckedPanopticMetric`, and of 16 bits
      if there are more than 256 classes.

    Args:
        ann_file (str): COCO's panoptic JSON file.
        seg_prefix (str): The folder of its maps.
        **kwargs: As for ``SemSegMetric``.

    Raises:
        FileNotFoundError: If the file is not there, or all of its maps are not.
        ValueError: If the file is not valid; or when the data set is known, if its classes are
            spelt differently there.
    """

    default_prefix = 'semantic'

    def __init__(
        self, ann_file: str, seg_prefix: str | None = None, format_only: bool = False, **kwargs
    ) -> None:
        super().__init__(format_only=format_only, **kwargs)
        if seg_prefix is None and not format_only:
            raise ValueError(f'{type(self).__name__}: ann_file={ann_file!r} needs a seg_prefix, '
                             'the folder of its maps.')
        self._truth = PanopticTruth(
            ann_file, None if format_only else seg_prefix, self.backend_args)

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping) -> None:
        self._truth.match(dataset_meta)
        self._dataset_meta = dict(dataset_meta)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Compare results with the ground truth, and write them if they are asked for.

        Args:
            data_batch: Not read.
            data_samples: Each with ``img_id``, ``img_path`` and ``pred_sem_seg``.
        """
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            predicted = sample['pred_sem_seg']['sem_seg'].squeeze()
            if not self.format_only:
                labels = self._read_labels(sample, predicted.shape, num_classes).to(predicted)
                self.results.append(
                    self._compute_pred_stats(predicted, labels, num_classes, num_classes))
            if self.output_dir is not None:
                dtype = np.uint8 if num_classes <= 256 else np.uint16
                path = osp.join(self.output_dir, self._truth.result_name(sample['img_id']))
                mmcv.imwrite(predicted.cpu().numpy().astype(dtype), path,
                             backend_args=self.backend_args)

    def _compute_pred_stats(
        self, pred_label: Tensor, label: Tensor, num_classes: int, ignore_index: int
    ) -> dict[str, Tensor]:
        """Pixels of each class; mmdet's histogram of floats takes labels of many for others."""
        mask = label != ignore_index
        label, predicted = label[mask], pred_label[mask]

        def count(labels: Tensor) -> Tensor:
            is_class = (labels >= 0) & (labels < num_classes)
            return torch.bincount(labels[is_class].long(), minlength=num_classes).cpu().double()

        right, found, true = count(label[predicted == label]), count(predicted), count(label)
        return dict(area_intersect=right, area_union=found + true - right, area_pred_label=found,
                    area_label=true)

    def get_return_metrics(self, results: list[dict[str, Tensor]]) -> dict[str, np.ndarray]:
        """Figures of each class, nan where the ground truth has none of it.

        Args:
            results: Areas of each image, as ``process`` has stored them.

        Raises:
            ValueError: If the ground truth has no class at all.
        """
        label, intersect = (
            sum(result[key] for result in results).numpy()
            for key in ('area_label', 'area_intersect'))
        if not label.any():
            raise ValueError(f'{self._truth.file.path}: none of the {len(results)} images that '
                             'were tested has a pixel of one of the classes.')
        figures = super().get_return_metrics(results)
        figures = {key: np.where(label > 0, value, np.nan) for key, value in figures.items()}
        return {**figures, 'aAcc': intersect.sum() / label.sum()}

    def _read_labels(self, sample: Mapping, shape: tuple[int, int], void: int) -> Tensor:
        segments = self._truth.read(sample)
        if segments is None:
            return torch.full(shape, void)
        return torch.from_numpy(
            segments.paint([info['label'] for info in segments.infos], void))
