"""How many of the regions that people described are found under their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from mmdet.evaluation import bbox_overlaps
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric

from ..datasets.benchmarks.visual_genome import name_of
from ..vocabulary import Vocabulary
from .own_vocabulary import OwnVocabulary, name_figures


@METRICS.register_module()
class RegionRecallMetric(BaseMetric):
    """Recall of regions with boxes and names, such as those of Visual Genome.

    A region is found if the box of an instance of its name overlaps it by more than half,
    intersection over union. Its name is :func:`name_of` it; regions whose name is no class, or
    that have no box, are not asked for. What is not described is no error, for people describe a
    part of what is to be seen: with these annotations there is recall, and no average precision.
    How many instances an image may have is up to ``max_per_image`` of the model's ``test_cfg``.

    In percent:

    - ``recall50``: regions that are found.
    - ``name_recall50``: the same of each name, averaged over names.
    - ``any_name_recall50``: regions whose box an instance of any name fits.
    - ``instances``: instances per image, since more of them find more by chance.

    After the evaluation ``per_class`` has the recall of each name. Images may bring vocabularies of
    their own, see :class:`OwnVocabulary`.

    Args:
        **kwargs: As for :class:`mmengine.evaluator.BaseMetric`.
    """

    default_prefix = 'regions'

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.per_class: dict[str, dict[str, float]] = {}

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping) -> None:
        vocabulary = Vocabulary.from_metainfo(dataset_meta)
        pairs = [*zip(vocabulary.names, vocabulary.class_indices, strict=True)]
        self._labels = dict(reversed(pairs))  # the first class of a name that is shared
        self._dataset_meta = dict(dataset_meta)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Look for the regions of images.

        Args:
            data_batch: Not read.
            data_samples: Each with ``regions`` and ``pred_instances``.

        Raises:
            KeyError: If a sample brings no regions.
        """
        for sample in data_samples:
            if 'regions' not in sample:
                raise KeyError(
                    f"RegionRecallMetric: {sample.get('img_path')} brings no 'regions'. Test on a "
                    "data set with regions, and list 'regions' in the meta_keys of PackDetInputs.")
            asked = [(self._labels[name], region['bbox']) for region in sample['regions']
                     if region['bbox'] is not None and (name := name_of(region)) in self._labels]
            own = OwnVocabulary.of(sample, self.dataset_meta)
            found = (sample if own is None else own.translate(sample))['pred_instances']
            labels = np.array([label for label, _ in asked], int)
            boxes = np.array([box for _, box in asked], np.float32).reshape(-1, 4)
            fits = bbox_overlaps(boxes, found['bboxes'].cpu().numpy()) > 0.5
            same = labels[:, None] == found['labels'].cpu().numpy()
            is_only = None if own is None else own.is_only({*labels.tolist()})
            self.results.append(
                (labels, (fits & same).any(1), fits.any(1), len(found['labels']), is_only))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the metrics.

        Args:
            results: What ``process`` has stored: an element per image.

        Raises:
            ValueError: If no region's name is a class.
        """
        *parts, numbers, only_present = zip(*results, strict=True)
        labels, found, fits = map(np.concatenate, parts)
        if not len(labels):
            raise ValueError('RegionRecallMetric: of the images that were tested, no region has a '
                             "box and a name that is one of the data set's classes.")
        names = self.dataset_meta['classes']
        recalls = {names[label]: 100 * float(found[labels == label].mean())
                   for label in np.unique(labels)}
        self.per_class = {name: name_figures(dict(recall=value), only_present)
                          for name, value in recalls.items()}
        return name_figures(dict(
            recall50=100 * float(found.mean()), name_recall50=float(np.mean([*recalls.values()])),
            any_name_recall50=100 * float(fits.mean()), instances=float(np.mean(numbers))),
            only_present)

