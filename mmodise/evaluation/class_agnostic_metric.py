"""How well segments fit the annotated ones, whatever they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric

from ..datasets.panoptic.classes import thing_classes
from ..datasets.panoptic.segments import Runs, Segments
from .own_vocabulary import OwnVocabulary, name_figures
from .panoptic_quality import overlaps, shared_pixels
from .panoptic_truth import PanopticTruth
from .truth_check import ChecksTruth


@METRICS.register_module()
class ClassAgnosticMetric(ChecksTruth, BaseMetric):
    """The best overlap of each annotated segment with a predicted one of any class.

    The overlap is the intersection over union without void, as in panoptic quality; groups of
    things (``iscrowd``) are not asked for. In percent, of all segments, and of things (``_th``) and
    stuff (``_st``) apart:

    - ``mBO``: mean best overlap over segments.
    - ``covering``: the same, each segment weighted with its area (Arbelaez et al., PAMI 2011).
    - ``recall50``: segments whose best overlap exceeds 0.5.
    - ``segments``: predicted segments per image, since many pieces find more by chance.

    Args:
        ann_file (str): COCO's panoptic JSON file.
        seg_prefix (str): The folder of its maps.
        backend_args (dict, optional): As mmdet's. Defaults to None.
        **kwargs: As for :class:`mmengine.evaluator.BaseMetric`.

    Raises:
        FileNotFoundError: If the file is not there, or all of its maps are not.
        ValueError: If the file is not valid; or when the data set is known, if its classes are
            spelt differently there.
    """

    default_prefix = 'class_agnostic'

    def __init__(
        self, ann_file: str, seg_prefix: str, backend_args: dict | None = None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self._truth = PanopticTruth(ann_file, seg_prefix, backend_args)

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping) -> None:
        self._truth.match(dataset_meta)
        self._num_things = len(thing_classes(dataset_meta))
        self._dataset_meta = dict(dataset_meta)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Compare results with the ground truth.

        Args:
            data_batch: Not read.
            data_samples: Each with ``img_id``, ``img_path`` and ``pred_panoptic_seg``.
        """
        for sample in data_samples:
            truth = self._truth.read(sample)
            if truth is None:  # not annotated
                continue
            own = OwnVocabulary.of(sample, self.dataset_meta)
            present = {info['label'] for info in truth.infos}
            numbers = self._number_segments(sample['pred_panoptic_seg'])
            wanted = [place for place, info in enumerate(truth.infos) if not info['iscrowd']]
            self.results.append((
                best_overlaps(truth, numbers)[wanted], truth.areas[wanted],
                np.array([truth.infos[place]['label'] < self._num_things for place in wanted],
                         dtype=bool),
                int(numbers.max()), None if own is None else own.is_only(present)))

    def _number_segments(self, predicted: Mapping) -> np.ndarray:
        """The predicted segments, from 1 on, (H, W); 0 is void."""
        segments = predicted['sem_seg'].cpu().numpy()[0]
        void = predicted.get('ignore_index', len(self.dataset_meta['classes']))
        runs = Runs.of(segments)
        values, places = np.unique(runs.values, return_inverse=True)
        is_segment = values % INSTANCE_OFFSET != void
        return runs.paint((is_segment.cumsum() * is_segment)[places])

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the metrics, in percent; a group without segments has none.

        Args:
            results: What ``process`` has stored: an element per image.

        Raises:
            ValueError: If no image that was tested has an annotated segment.
        """
        if not sum(len(overlaps) for overlaps, *_ in results):
            raise ValueError(f'{self._truth.file.path}: of the images that were tested, none has '
                             'an annotated segment.')
        *parts, numbers, only_present = zip(*results, strict=True)
        overlaps, areas, is_thing = map(np.concatenate, parts)
        metrics = {}
        for suffix, chosen in (('', is_thing >= 0), ('_th', is_thing), ('_st', ~is_thing)):
            if chosen.any():
                best = 100 * overlaps[chosen]
                metrics['mBO' + suffix] = float(best.mean())
                metrics['covering' + suffix] = float(np.average(best, weights=areas[chosen]))
                metrics['recall50' + suffix] = float(100 * (best > 50).mean())
        return name_figures(
            metrics | {'segments': float(np.mean(numbers))}, only_present)


def best_overlaps(truth: Segments, predicted: np.ndarray) -> np.ndarray:
    """The largest intersection over union of each annotated segment with a predicted one.

    Pixels that are void in the annotation do not count.

    Args:
        truth (Segments): The annotated segments.
        predicted (ndarray): (H, W), 0 where nothing is predicted, n in the n-th segment.

    Returns:
        ndarray: (N,), 0 where nothing is predicted.
    """
    shared = shared_pixels(truth, predicted, int(predicted.max()))
    return overlaps(truth, shared).max(1, initial=0)
