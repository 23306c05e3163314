"""Mask AP of the things of a panoptic data set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from mmdet.datasets.api_wrappers import COCO
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from mmdet.structures.mask import encode_mask_results

from ..datasets.panoptic.classes import thing_classes
from ..utils.masks import bounding_box
from .instance_truth import InstanceTruth, index_instances
from .own_vocabulary import OwnVocabulary, name_figures
from .panoptic_truth import PanopticTruth


@METRICS.register_module()
class OpenVocabularyInstanceMetric(CocoMetric):
    """mmdet's ``CocoMetric`` for panoptic data sets, which have stuff and perhaps no boxes.

    Figures are mmdet's, AP from 0 to 1. It differs in this:

    - The ground truth may be panoptic annotations, whose things are the instances; things that are
      annotated as a group (``iscrowd``) count as in COCO: what is found inside is ignored.
    - A label is the place of a class in the metainfo's ``classes``, the things first, whatever the
      order of the annotation file; a class that only one of them has is left out, and told.
    - Only images that were tested count.
    - With ``classwise``, a class of which nothing is annotated has no figure; ``per_class`` has
      those of the others after the evaluation, in percent, by name; and where the metainfo has
      ``novel_classes``, there are ``base_segm_mAP`` and ``novel_segm_mAP``, as far as the group has
      a class with a figure.

    Vocabularies that samples bring, and figures of oracle ones, are as in
    :class:`CheckedPanopticMetric`; only things are looked at.

    Args:
        ann_file (str): COCO's instance annotations; or, with ``seg_prefix``, panoptic annotations.
        seg_prefix (str, optional): The folder of the panoptic annotations' maps. Defaults to None.
        metric (str | list[str]): As mmdet's. Defaults to 'segm', AP of the masks.
        **kwargs: As for ``CocoMetric``: ``classwise``, ``outfile_prefix``, …

    Raises:
        FileNotFoundError: If ``ann_file`` is not there.
        ValueError: If it is not valid; or, when the data set is known, if its things are spelt
            differently there, or if it has none.
    """

    def __init__(
        self,
        ann_file: str,
        seg_prefix: str | None = None,
        metric: str | list[str] = 'segm',
        **kwargs,
    ) -> None:
        super().__init__(metric=metric, **kwargs)
        self.per_class: dict[str, dict[str, float]] = {}
        self._coco_api = COCO()  # without one, mmdet asks samples for their annotations
        self._is_panoptic = seg_prefix is not None
        if self._is_panoptic:
            self._truth = PanopticTruth(ann_file, seg_prefix, self.backend_args)
            self._categories = self._truth.file.categories
        else:
            self._truth = InstanceTruth(
                ann_file, self.backend_args, 'segm' in self.metrics, not self.format_only)
            self._categories = self._truth.categories

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping) -> None:
        self._num_things = len(thing_classes(dataset_meta))
        if not self._num_things:
            raise ValueError(f'{type(self).__name__}: the data set has stuff only, of which there '
                             'are no instances. Take this metric out.')
        self._category_ids = self._truth.match(dataset_meta).category_ids[:self._num_things]
        self._dataset_meta = dict(dataset_meta)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Note results, and the annotations of their images.

        Args:
            data_batch: Not read.
            data_samples: Each with ``img_id``, ``ori_shape`` and ``pred_instances``.
        """
        first = len(self.results)
        own = [OwnVocabulary.of(sample, self.dataset_meta) for sample in data_samples]
        data_samples = [sample if each is None else each.translate(sample)
                        for sample, each in zip(data_samples, own, strict=True)]
        super().process(data_batch, data_samples)
        for (truth, pred), sample, vocabulary in zip(
                self.results[first:], data_samples, own, strict=True):
            truth['anns'] = []
            if not self.format_only:
                truth['anns'] = self._read_things(sample) if self._is_panoptic else (
                    self._truth.read(dict(truth, img_path=sample.get('img_path', ''))))
            if max(pred['labels'], default=0) >= self._num_things:
                raise ValueError(
                    f'{type(self).__name__}: the result of {sample.get("img_path")} has an instance'
                    f' of label {max(pred["labels"])}, and the data set {self._num_things} things. '
                    'Is it of another vocabulary?')
            if vocabulary is not None:
                truth['only_present'] = vocabulary.is_only(
                    self._present(truth['anns']), self._num_things)

    def _present(self, annotations: Sequence[Mapping]) -> set[int]:
        """Labels of annotations."""
        places = {category_id: label for label, category_id in enumerate(self._category_ids)}
        return {places[annotation['category_id']] for annotation in annotations
                if annotation['category_id'] in places}

    def _name(self, figures: Mapping[str, float], results: list) -> dict[str, float]:
        """Call figures, those of classes too, oracle ones if the vocabularies of images are."""
        flags = [truth.get('only_present') for truth, _ in results]
        self.per_class = {name: name_figures(values, flags)
                          for name, values in self.per_class.items()}
        return name_figures(figures, flags)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the metrics.

        Args:
            results: What ``process`` has stored: an element per image.
        """
        chosen = self._index(results)
        metrics = super().compute_metrics(chosen)
        known = {key: value for key, value in metrics.items() if not math.isnan(value)}
        self.per_class = {
            name: dict(AP=100 * known[key]) for name in self.dataset_meta['classes'][
                :self._num_things] if (key := f'{name.strip()}_precision') in known}
        return self._name({**known, **self._group_means()}, results)

    def _group_means(self) -> dict[str, float]:
        """Mean AP of the base and of the novel classes."""
        novel, means = set(self.dataset_meta.get('novel_classes') or ()), {}
        for group, is_novel in (('base', False), ('novel', True)) if novel else ():
            values = [figures['AP'] / 100 for name, figures in self.per_class.items()
                      if (name in novel) == is_novel]
            if values:
                means[f'{group}_{self.metrics[-1]}_mAP'] = float(np.mean(values))
        return means

    def _index(self, results: list) -> list:
        """Index the annotations; return results of categories that the file knows."""
        images = [dict(gt, id=gt['img_id']) for gt, _ in results]
        annotations = [annotation for image in images for annotation in image.pop('anns')]
        self._coco_api = index_instances(self._categories, images, annotations)
        self.img_ids = [image['id'] for image in images]
        known = np.array([key is not None for key in self._category_ids])
        # as COCO's evaluation has them, whatever it is given
        self.cat_ids = sorted(key for key in self._category_ids if key is not None)
        places = np.array([
            self.cat_ids.index(key) if key is not None else -1 for key in self._category_ids])
        return [(gt, _choose(pred, known, places)) for gt, pred in results]

    def _read_things(self, sample: Mapping) -> list[dict]:
        """The things of an image, as COCO's instance annotations."""
        segments = self._truth.read(sample)
        if segments is None:
            return []
        places = [place for place, info in enumerate(segments.infos)
                  if info['label'] < self._num_things]
        masks = segments.masks(places)
        return [
            dict(
                image_id=sample['img_id'], category_id=segments.infos[place]['category_id'],
                iscrowd=segments.infos[place]['iscrowd'], area=int(segments.areas[place]),
                bbox=bounding_box(mask), segmentation=encode_mask_results([mask])[0])
            for place, mask in zip(places, masks, strict=True)]


def _choose(pred: Mapping, known: np.ndarray, places: np.ndarray) -> dict:
    """The instances of known categories, their labels as places in COCO's list of these."""
    kept = known[pred['labels']]
    chosen = {key: value[kept] if isinstance(value, np.ndarray) else value
              for key, value in pred.items()}
    if 'masks' in pred:
        chosen['masks'] = [mask for mask, keep in zip(pred['masks'], kept, strict=True) if keep]
    return {**chosen, 'labels': places[chosen['labels']]}
