"""Mask AP of Cityscapes as its own scripts compute it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmdet.evaluation import CityScapesMetric
from mmdet.registry import METRICS

from ..datasets.panoptic.segment_map import read_numbers
from ..utils.optional import import_optional
from .own_vocabulary import OwnVocabulary, name_figures

_PICTURE, _INSTANCES = '_leftImg8bit', '_gtFine_instanceIds.png'


@METRICS.register_module()
class CityscapesInstanceMetric(CityScapesMetric):
    """mmdet's ``CityScapesMetric``, which has cityscapesScripts compute the AP of papers.

    It differs from COCO's AP: an instance of less than 100 pixels is ignored, and so is what is
    found on groups and void; precision is not interpolated at 101 recalls, and any number of
    results of an image counts. Figures are ``AP`` (over IoU 0.5 to 0.95) and ``AP50``, from 0 to 1.
    Masks are written into a folder of the system's temporary files, which is removed. Images may
    bring vocabularies of their own, see :class:`OwnVocabulary`.

    Args:
        seg_prefix (str): The folder with a folder per city, ``gtFine/val``.
        **kwargs: As for ``CityScapesMetric``; there is no ``outfile_prefix``.

    Raises:
        ImportError: If cityscapesscripts is not installed; says what to do.
        FileNotFoundError: If an image has no map of instances.
    """

    default_prefix = 'cityscapes'

    def __init__(self, seg_prefix: str, **kwargs) -> None:
        self.tmp_dir = None  # the parent's end asks for it
        import_optional('cityscapesscripts', 'cityscapes')
        super().__init__(outfile_prefix=None, seg_prefix=seg_prefix, **kwargs)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Write the masks of results, and find the map of each image.

        Args:
            data_batch: Not read.
            data_samples: Each with ``img_path`` and ``pred_instances``, whose labels are places in
                the metainfo's ``classes``.
        """
        first = len(self.results)
        owns = [OwnVocabulary.of(sample, self.dataset_meta) for sample in data_samples]
        super().process(data_batch, [
            sample if own is None else own.translate(sample)
            for own, sample in zip(owns, data_samples, strict=True)])
        for (truth, _), own, sample in zip(
                self.results[first:], owns, data_samples, strict=True):
            truth['file_name'] = path = self._find(Path(sample['img_path']))
            if own is not None:
                truth['only_present'] = own.is_only(self._present(path))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Have the figures computed of what ``process`` has stored, an element per image."""
        figures = super().compute_metrics(results)
        return name_figures(
            dict(AP=float(figures['mAP']), AP50=float(figures['AP@50'])) if figures else {},
            [truth.get('only_present') for truth, _ in results])

    def _present(self, path: str) -> set[int]:
        """Labels of what a map of instances shows."""
        from cityscapesscripts.helpers.labels import id2label
        ids = {number // 1000 if number >= 1000 else number
               for number in np.unique(read_numbers(path)).tolist()}
        names = {id2label[number].name for number in ids}
        return {label for label, name in enumerate(self.dataset_meta['classes']) if name in names}

    def _find(self, picture: Path) -> str:
        path = Path(self.seg_prefix, picture.parent.name,
                    picture.stem.removesuffix(_PICTURE) + _INSTANCES)
        if not path.is_file():
            raise FileNotFoundError(
                f'{path}, the map of {picture}, is not there. Check seg_prefix.')
        return str(path)
