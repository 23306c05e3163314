"""mIoU of all classes of a data set."""

from __future__ import annotations

import os.path as osp
from collections.abc import Mapping, Sequence

import mmcv
import numpy as np
import torch
from mmdet.evaluation import SemSegMetric
from mmdet.registry import METRICS
from torch import Tensor

from ..datasets.panoptic.classes import check_known
from ..datasets.panoptic.labels import void_label
from .own_vocabulary import OwnVocabulary, name_figures
from .panoptic_truth import PanopticTruth
from .semantic_maps import VOID_VALUES, DataSetMaps, SemanticMaps
from .truth_check import ChecksTruth

_MEANS = ('truth', 'truth or prediction')


@METRICS.register_module()
class OpenVocabularySemanticMetric(ChecksTruth, SemSegMetric):
    """mmdet's ``SemSegMetric`` for vocabularies of any size, against any kind of truth.

    The ground truth, at the image's original size, is one of these:

    - Panoptic annotations, with ``ann_file`` and ``seg_prefix``: every pixel of a segment, a group
      of things too, has its class; the rest is void.
    - A folder of maps of labels, with ``seg_prefix`` alone; see :class:`SemanticMaps`.
    - Maps of labels that a data set of the same pictures reads, with ``maps``; see
      :class:`DataSetMaps`.
    - ``gt_sem_seg`` of the samples, with none of these; void is ``ignore_index``, and its own, 255
      and 65535 as far as they are no classes.

    It differs in this:

    - Void counts nowhere, whatever is predicted there; no label means void unless it is said so:
      mmdet leaves out the class of label 255.
    - Means are over the classes that occur in the ground truth, as in detectron2, with which the
      official release and the papers evaluate; or with ``mean_over='truth or prediction'`` also
      over those that were only predicted, which count 0, as in mmdet and mmsegmentation. They
      differ most with long vocabularies.
    - Where the metainfo has ``novel_classes``, the results have ``base_mIoU``, ``novel_mIoU``, and
      so on, as far as the group has a class that counts.
    - ``aAcc`` is the share of pixels that are right; mmdet calls ``mAcc`` by both names.
    - Maps in ``output_dir`` are called as those of :class:`CheckedPanopticMetric`, and of 16 bits
      if there are more than 256 classes.

    After the evaluation ``per_class`` has the figures of each class that counts, by name.
    Vocabularies that samples bring, and figures of oracle ones, are as in
    :class:`CheckedPanopticMetric`.

    Args:
        ann_file (str, optional): COCO's panoptic JSON file. Defaults to None.
        seg_prefix (str, optional): The folder of its maps, or of maps of labels. Defaults to None.
        format_only (bool): Whether to write results and compute nothing. Defaults to False.
        mean_over (str): ``'truth'``, or ``'truth or prediction'``. Defaults to 'truth'.
        maps (Mapping, optional): The config of a data set. Defaults to None.
        names (Sequence[str] | Mapping[int, str], optional): Of the values in maps of labels, as
            ``label_offset``, ``ignore_index``, ``img_suffix`` and ``seg_map_suffix`` of
            :class:`SemanticMaps`.
        label_offset (int): Defaults to 0.
        ignore_index (int, optional): Defaults to None.
        img_suffix (str): Defaults to '.jpg'.
        seg_map_suffix (str): Defaults to '.png'.
        **kwargs: As for ``SemSegMetric``.

    Raises:
        FileNotFoundError: If the file or the folder is not there, or all of its maps are not.
        ValueError: If the file is not valid; or when the data set is known, if its classes are
            spelt differently there.
    """

    default_prefix = 'semantic'

    def __init__(
        self,
        ann_file: str | None = None,
        seg_prefix: str | None = None,
        format_only: bool = False,
        mean_over: str = 'truth',
        maps: Mapping | None = None,
        names: Sequence[str] | Mapping[int, str] | None = None,
        label_offset: int = 0,
        ignore_index: int | None = None,
        img_suffix: str = '.jpg',
        seg_map_suffix: str = '.png',
        **kwargs,
    ) -> None:
        super().__init__(format_only=format_only, **kwargs)
        if mean_over not in _MEANS:
            raise ValueError(
                f'{type(self).__name__}: mean_over={mean_over!r}, expected one of {_MEANS}.')
        if ann_file and seg_prefix is None and not format_only:
            raise ValueError(f'{type(self).__name__}: ann_file={ann_file!r} needs a seg_prefix, '
                             'the folder of its maps.')
        self.mean_over, self._ignore_index = mean_over, ignore_index
        self.per_class: dict[str, dict[str, float]] = {}
        self._truth = self._maps = None
        if ann_file:
            self._truth = PanopticTruth(
                ann_file, None if format_only else seg_prefix, self.backend_args)
        elif maps and not format_only:
            self._maps = DataSetMaps(maps, self.backend_args)
        elif seg_prefix and not format_only:
            self._maps = SemanticMaps(seg_prefix, names, label_offset, ignore_index, img_suffix,
                                      seg_map_suffix, self.backend_args)

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping) -> None:
        for truth in filter(None, (self._truth, self._maps)):
            truth.match(dataset_meta)
        check_known(dataset_meta.get('novel_classes') or (), tuple(dataset_meta['classes']),
                    'novel_classes', 'classes')
        self._dataset_meta = dict(dataset_meta)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Compare results with the ground truth, and write them if they are asked for.

        Args:
            data_batch: Not read.
            data_samples: Each with ``img_id``, ``img_path`` and ``pred_sem_seg``.

        Raises:
            ValueError: If a map of the ground truth does not fit.
        """
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            own = OwnVocabulary.of(sample, self.dataset_meta)
            sample = sample if own is None else own.translate(sample)
            predicted = sample['pred_sem_seg']['sem_seg']
            predicted = predicted.reshape(predicted.shape[-2:])
            if not self.format_only:
                labels = self.read_labels(sample, predicted.shape).to(predicted)
                result = self._compute_pred_stats(predicted, labels, num_classes, num_classes)
                if own is not None:
                    present = result['labels'][result['areas'][2] > 0]
                    result['only_present'] = own.is_only(present.tolist())
                self.results.append(result)
            if self.output_dir is not None:
                dtype = np.uint8 if num_classes <= 256 else np.uint16
                path = osp.join(self.output_dir, self._result_name(sample))
                mmcv.imwrite(predicted.cpu().numpy().astype(dtype), path,
                             backend_args=self.backend_args)

    def _compute_pred_stats(
        self, pred_label: Tensor, label: Tensor, num_classes: int, ignore_index: int
    ) -> dict[str, Tensor]:
        """Pixels of the classes that occur; mmdet's histogram takes labels of many for others."""
        def count(labels: Tensor, is_counted: Tensor) -> Tensor:
            # what does not count goes into one more bin, which is faster than taking it out
            labels = torch.where(is_counted, labels, num_classes).flatten().long()
            return torch.bincount(labels, minlength=num_classes + 1)[:num_classes]

        is_known = label != ignore_index
        is_class = is_known & (pred_label >= 0) & (pred_label < num_classes)
        areas = torch.stack([
            count(label, is_known & (pred_label == label)), count(pred_label, is_class),
            count(label, is_known)]).cpu()
        occurs = areas.any(0)  # few of a long vocabulary
        return dict(labels=occurs.nonzero()[:, 0].int(), areas=areas[:, occurs].int())

    def compute_metrics(self, results: list[dict[str, Tensor]]) -> dict[str, float]:
        """Compute the metrics, in percent.

        Args:
            results: What ``process`` has stored: an element per image.
        """
        metrics = super().compute_metrics(results)
        if self.format_only:
            return metrics
        flags = [result.get('only_present') for result in results]
        metrics = name_figures({**metrics, **self._group_means()}, flags)
        self.per_class = {
            name: name_figures(figures, flags) for name, figures in self.per_class.items()}
        return metrics

    def _group_means(self) -> dict[str, float]:
        """Means over the base and over the novel classes."""
        novel_classes = set(self.dataset_meta.get('novel_classes') or ())
        means = {}
        for group, is_novel in (('base', False), ('novel', True)) if novel_classes else ():
            figures = [figures for name, figures in self.per_class.items()
                       if (name in novel_classes) == is_novel]
            for key in figures[0] if figures else ():
                values = [each[key] for each in figures]
                if not np.isnan(values).all():
                    means[f'{group}_m{key}'] = float(np.round(np.nanmean(values), 2))
        return means

    def get_return_metrics(self, results: list[dict[str, Tensor]]) -> dict[str, np.ndarray]:
        """Figures of each class from 0 to 1, nan where it does not count.

        Args:
            results: Areas of each image, as ``process`` has stored them.

        Raises:
            ValueError: If the ground truth has no class at all.
        """
        right, found, true = total = torch.zeros(
            3, len(self.dataset_meta['classes']), dtype=torch.float64)
        for result in results:
            total[:, result['labels'].long()] += result['areas']
        if not true.any():
            raise ValueError(f'{self._where()}: none of the {len(results)} images that were tested '
                             'has a pixel of one of the classes.')
        figures = super().get_return_metrics([dict(
            area_intersect=right, area_union=found + true - right, area_pred_label=found,
            area_label=true)])
        counts = (true > 0 if self.mean_over == 'truth' else true + found > 0).numpy()
        figures.pop('aAcc')
        figures = {key: np.where(counts, value, np.nan) for key, value in figures.items()}
        self.per_class = {
            name: {key: 100 * float(value[label]) for key, value in figures.items()}
            for label, name in enumerate(self.dataset_meta['classes']) if counts[label]}
        return {**figures, 'aAcc': (right.sum() / true.sum()).numpy()}

    def _where(self) -> str:
        if self._truth is not None:
            return self._truth.file.path
        return 'gt_sem_seg' if self._maps is None else self._maps.folder

    def _result_name(self, sample: Mapping) -> str:
        if self._truth is not None:
            return self._truth.result_name(sample['img_id'])
        return f'{osp.splitext(osp.basename(sample["img_path"]))[0]}.png'

    def read_labels(self, sample: Mapping, shape: tuple[int, int]) -> Tensor:
        """The true labels of an image, (H, W); void is the number of classes.

        Args:
            sample (Mapping): With ``img_id`` and ``img_path``.
            shape (tuple[int, int]): Its height and width.

        Raises:
            ValueError: If the ground truth does not fit.
        """
        void = len(self.dataset_meta['classes'])
        if self._maps is not None:
            return torch.from_numpy(self._maps.read(sample, shape))
        if self._truth is None:
            return self._labels_of_sample(sample, shape, void)
        segments = self._truth.read(sample)
        if segments is None:
            return torch.full(shape, void)
        return torch.from_numpy(
            segments.paint([info['label'] for info in segments.infos], void))

    def _labels_of_sample(self, sample: Mapping, shape: tuple[int, int], void: int) -> Tensor:
        path, truth = sample.get('img_path'), sample.get('gt_sem_seg')
        if truth is None:
            raise ValueError(
                f'{type(self).__name__}: the sample of {path} has no gt_sem_seg. Load annotations '
                'in the test pipeline, after what resizes the image; or give the metric a '
                'seg_prefix, maps, or ann_file and seg_prefix.')
        labels = truth['sem_seg'].long()
        labels = labels.reshape(labels.shape[-2:])
        if labels.shape != shape:
            raise ValueError(
                f'{type(self).__name__}: the annotation of {path} is of {tuple(labels.shape)} '
                f'pixels, the result of {tuple(shape)}. In the test pipeline annotations are '
                'loaded after what resizes the image.')
        ignored = {value for value in (*VOID_VALUES, void_label(void), truth.get('ignore_index'))
                   if value is not None and value >= void}
        if self._ignore_index is not None:
            ignored.add(self._ignore_index)
        is_void = torch.isin(labels, labels.new_tensor(sorted(ignored)))
        strange = labels[~is_void & ((labels >= void) | (labels < 0))]
        if len(strange):
            raise ValueError(
                f'{type(self).__name__}: the annotation of {path} has a label {int(strange[0])}, '
                f'and the data set {void} classes.')
        return labels.masked_fill(is_void, void)
