"""Mask AP of the things of a panoptic data set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO

import numpy as np
from mmdet.datasets.api_wrappers import COCO, COCOeval
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from mmengine.logging import MMLogger, print_log
from terminaltables import AsciiTable

from ..datasets.panoptic.classes import thing_classes
from ..utils.masks import bounding_box, encode_masks
from .image_matches import ImageMatches, accumulate
from .instance_truth import InstanceTruth, index_instances
from .own_vocabulary import OwnVocabulary, name_figures
from .panoptic_truth import PanopticTruth
from .truth_check import ChecksTruth

# COCO's figures, as mmdet calls them
_FIGURES = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l', 'AR@100', 'AR@300', 'AR@1000',
            'AR_s@1000', 'AR_m@1000', 'AR_l@1000')


@METRICS.register_module()
class OpenVocabularyInstanceMetric(ChecksTruth, CocoMetric):
    """mmdet's ``CocoMetric`` for panoptic data sets, which have stuff and perhaps no boxes.

    Figures are mmdet's, AP from 0 to 1. It differs in this:

    - The ground truth may be panoptic annotations, whose things are the instances; things that are
      annotated as a group (``iscrowd``) count as in COCO: what is found inside is ignored.
    - A label is the place of a class in the metainfo's ``classes``, the things first, whatever the
      order of the annotation file; a class that only one of them has is left out, and told.
    - Only images that were tested count.
    - Images are evaluated as they come, by the process that tests: of an image are kept the scores
      and what they are matched with, and no masks, unless results are written.
    - With ``classwise``, a class of which nothing is annotated has no figure. After the evaluation
      ``per_class`` has AP of the others, in percent, by name.
    - Where the metainfo has ``novel_classes``, there are ``base_segm_mAP`` and ``novel_segm_mAP``
      too, as far as the group has a class that counts.

    Vocabularies that samples bring, and figures of oracle ones, are as in
    :class:`CheckedPanopticMetric`; only things are looked at.

    Args:
        ann_file (str): COCO's instance annotations; or, with ``seg_prefix``, panoptic annotations.
        seg_prefix (str, optional): The folder of the panoptic annotations' maps. Defaults to None.
        metric (str | list[str]): As mmdet's. Defaults to 'segm', AP of the masks.
        **kwargs: As for ``CocoMetric``: ``classwise``, ``outfile_prefix``, …; ``use_mp_eval`` has
            no effect.

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
        unknown = set(self.metric_items or ()).difference(_FIGURES)
        if unknown:
            raise KeyError(f'metric_items: {sorted(unknown)} are none of {", ".join(_FIGURES)}')
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
        self._kinds = [] if self.format_only else [
            kind for kind in self.metrics if kind in ('segm', 'bbox')]

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
        # in the order of COCO's evaluation, whatever it is given
        self.cat_ids = sorted(key for key in self._category_ids if key is not None)
        places = {key: place for place, key in enumerate(self.cat_ids)}
        self._places = np.array([places.get(key, -1) for key in self._category_ids])
        self._names = {key: name for key, name in zip(
            self._category_ids, dataset_meta['classes'], strict=False) if key is not None}
        self._dataset_meta = dict(dataset_meta)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Compare results with the annotations of their images.

        Args:
            data_batch: Not read.
            data_samples: Each with ``img_id``, ``ori_shape`` and ``pred_instances``.
        """
        for sample in data_samples:
            own = OwnVocabulary.of(sample, self.dataset_meta)
            sample = sample if own is None else own.translate(sample)
            height, width = sample['ori_shape'][:2]
            image = dict(img_id=sample['img_id'], height=height, width=width,
                         img_path=sample.get('img_path', ''))
            found = self._choose(_read_prediction(sample), image['img_path'])
            things = [] if self.format_only else self._read_truth(sample, image)
            matches = {kind: self._match(kind, dict(image, id=image['img_id']), things, found)
                       for kind in self._kinds}
            if own is not None and self._kinds:
                matches['only_present'] = own.is_only(self._present(things), self._num_things)
            self.results.append(
                (matches, image['img_id'], (dict(image, anns=things), found)
                 if self._keeps_results() else None))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the metrics.

        Args:
            results: What ``process`` has stored: an element per image.
        """
        metrics, self.per_class = {}, {}
        if self._keeps_results():
            metrics = self._compute_others([kept for *_, kept in results])
        for kind in self._kinds:
            evaluation = COCOeval(None, None, kind)
            self._set_params(evaluation.params)
            accumulate(evaluation, {image_id: found[kind] for found, image_id, _ in results})
            metrics.update(self._figures(evaluation, kind))
        flags = [found.get('only_present') for found, *_ in results]
        self.per_class = {
            name: name_figures(figures, flags) for name, figures in self.per_class.items()}
        return name_figures({
            key: value for key, value in metrics.items() if not math.isnan(value)}, flags)

    def _present(self, annotations: Sequence[Mapping]) -> set[int]:
        """Labels of annotations."""
        labels = {category_id: label for label, category_id in enumerate(self._category_ids)}
        return {labels[annotation['category_id']] for annotation in annotations
                if annotation['category_id'] in labels}

    def _keeps_results(self) -> bool:
        """Whether instances are kept, for files or for figures that mmdet computes of them."""
        return self.outfile_prefix is not None or len(self._kinds) < len(self.metrics)

    def _compute_others(self, results: list) -> dict[str, float]:
        """Write results if they are asked for; figures of proposals."""
        images = [dict(truth, id=truth['img_id']) for truth, _ in results]
        annotations = [annotation for image in images for annotation in image.pop('anns')]
        self._coco_api = index_instances(self._categories, images, annotations)
        self.img_ids = [image['id'] for image in images]
        metrics = self.metrics
        self.metrics = [kind for kind in metrics if kind not in self._kinds]
        try:
            return super().compute_metrics(results)
        finally:
            self.metrics = metrics

    def _set_params(self, params: object) -> None:
        params.catIds, params.maxDets = self.cat_ids, list(self.proposal_nums)
        params.iouThrs = np.atleast_1d(self.iou_thrs)

    def _match(
        self, kind: str, image: Mapping, things: Sequence[Mapping], found: Mapping
    ) -> ImageMatches:
        detections = self._detections(found, kind)
        evaluation = self._make_evaluation(
            kind, image, *(index_instances(self._categories, [image], annotations)
                           for annotations in (things, detections)))
        evaluation.params.imgIds = [image['id']]
        known = {entry['category_id'] for entry in (*things, *detections)}
        evaluation.params.catIds = sorted(known.intersection(self.cat_ids))
        return ImageMatches.of(evaluation)

    def _make_evaluation(
        self, kind: str, image: Mapping, truth: COCO, detections: COCO
    ) -> COCOeval:
        """COCO's evaluation of an image."""
        evaluation = COCOeval(truth, detections, kind)
        self._set_params(evaluation.params)
        return evaluation

    def _detections(self, found: Mapping, kind: str) -> list[dict]:
        """The instances of an image, as COCO's annotations."""
        detections = []
        for place, label in enumerate(found['labels'].tolist()):
            detection = dict(image_id=found['img_id'], category_id=self.cat_ids[label],
                             iscrowd=0, score=float(found['scores'][place]))
            if kind == 'segm':
                detection['segmentation'] = found['masks'][place]
                detection['score'] = float(found.get('mask_scores', found['scores'])[place])
            else:
                left, top, right, bottom = found['bboxes'][place].tolist()
                detection['bbox'] = [left, top, right - left, bottom - top]
            detections.append(detection)
        return detections

    def _figures(self, evaluation: COCOeval, kind: str) -> dict[str, float]:
        with redirect_stdout(StringIO()):
            evaluation.summarize()
        precisions = self._note_classes(evaluation, kind)
        metrics = {}
        if self.classwise:
            metrics = {f'{name}_precision': round(value, 3)
                       for name, value in precisions.items()}
        stats = dict(zip(_FIGURES, evaluation.stats, strict=True))
        metrics |= {f'{kind}_{key}': round(float(stats[key]), 3)
                    for key in self.metric_items or _FIGURES[:6]}
        metrics |= self._of_groups(precisions, f'{kind}_mAP')
        print_log('\n' + AsciiTable([['metric', 'from 0 to 1'], *(
            [key, f'{value:.3f}'] for key, value in metrics.items())]).table,
            MMLogger.get_current_instance())
        return metrics

    def _note_classes(self, evaluation: COCOeval, kind: str) -> dict[str, float]:
        """AP of each class that is annotated, by name."""
        precisions = {}
        for name, precision in zip(
                map(self._names.get, self.cat_ids),
                evaluation.eval['precision'][:, :, :, 0, -1].transpose(2, 0, 1), strict=True):
            if (precision > -1).any():
                precisions[name] = float(precision[precision > -1].mean())
                self.per_class.setdefault(name, {})[
                    'AP' if kind == 'segm' else 'box AP'] = 100 * precisions[name]
        return precisions

    def _of_groups(self, precisions: Mapping[str, float], name: str) -> dict[str, float]:
        """The mean over classes that were seen in training, and over those that were not."""
        novel = set(self.dataset_meta.get('novel_classes') or ())
        groups = dict(base=[], novel=[])
        for class_name, value in precisions.items() if novel else ():
            groups['novel' if class_name in novel else 'base'].append(value)
        return {f'{group}_{name}': round(float(np.mean(values)), 3)
                for group, values in groups.items() if values}

    def _read_truth(self, sample: Mapping, image: Mapping) -> list[dict]:
        if self._is_panoptic:
            return self._read_things(sample)
        return self._truth.read(image)

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
                bbox=bounding_box(mask), segmentation=segmentation)
            for place, mask, segmentation in zip(places, masks, encode_masks(masks), strict=True)]

    def _choose(self, found: dict, path: str | None) -> dict:
        """The instances of categories that the file knows, their labels as places among these."""
        labels = found['labels']
        if labels.max(initial=0) >= self._num_things:
            raise ValueError(
                f'{type(self).__name__}: the result of {path} has an instance of label '
                f'{labels.max()}, and the data set {self._num_things} things. Is it of another '
                'vocabulary?')
        places = self._places[labels]
        kept = places >= 0
        chosen = {key: value[kept] if isinstance(value, np.ndarray) else value
                  for key, value in found.items()}
        if 'masks' in found:
            chosen['masks'] = [
                mask for mask, keep in zip(found['masks'], kept, strict=True) if keep]
        return {**chosen, 'labels': places[kept]}


def _read_prediction(sample: Mapping) -> dict:
    """The instances of a sample, in the form of mmdet's metric."""
    pred = sample['pred_instances']
    found = {key: pred[key].cpu().numpy() for key in ('bboxes', 'scores', 'labels', 'mask_scores')
             if key in pred}
    if 'masks' in pred:
        masks = pred['masks']
        found['masks'] = masks if isinstance(masks, (list, tuple)) else encode_masks(masks)
    return dict(found, img_id=sample['img_id'])
