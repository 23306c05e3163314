"""Predictions of a test on disk, so that they are made once and looked at often."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import mmcv
import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from panopticapi.utils import id2rgb
from torch import Tensor

from ..datasets.panoptic.classes import check_classes, thing_classes
from ..utils.whole_file_backend import WholeFileBackend
from .own_vocabulary import OwnVocabulary
from .predicted_segments import predicted_segments

#: The annotation file of a folder of predictions; it is written when all of them are there.
FILE_NAME = 'panoptic.json'


@METRICS.register_module()
class PredictionDump(BaseMetric):
    """Write panoptic and semantic results, as far as a model has them, in COCO's panoptic layout.

    Into ``out_dir`` go ``panoptic/NAME.png``, whose colours are the numbers of segments;
    ``semantic/NAME.png``, the class of each pixel, of 16 bits if there are more than 256 classes;
    and at the end ``panoptic.json``, in which category n is the n-th class, ``novel`` if it is one
    of the metainfo's ``novel_classes``. An image that brought a vocabulary of its own has in
    ``vocabulary`` the categories of that, one more than the last for a class that is none of them.
    There are no figures.

    Args:
        out_dir (str | Path): The folder. Predictions in it are replaced.
        **kwargs: As for :class:`mmengine.evaluator.BaseMetric`.
    """

    default_prefix = 'predictions'

    def __init__(self, out_dir: str | Path, **kwargs) -> None:
        super().__init__(**kwargs)
        self.out_dir, self._has_begun = Path(out_dir), False

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Write the maps of results.

        Args:
            data_batch: Not read.
            data_samples: Each with ``img_id``, ``img_path``, ``ori_shape``, and perhaps
                ``pred_panoptic_seg`` and ``pred_sem_seg``.

        Raises:
            ValueError: If a label is no class.
        """
        if not self._has_begun:
            (self.out_dir / FILE_NAME).unlink(missing_ok=True)  # it tells that all are there
            self._has_begun = True
        self.results += [self._write(sample) for sample in data_samples]

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Write ``panoptic.json``.

        Args:
            results: What ``process`` has stored: an element per image.

        Returns:
            dict[str, float]: Nothing.
        """
        if not any(annotation for _, annotation in results):
            print_log('The model gave neither panoptic nor semantic results: no predictions are '
                      f'kept in {self.out_dir}.', 'current', logging.WARNING)
            return {}
        content = dict(
            images=[image for image, _ in results],
            annotations=[annotation for _, annotation in results],
            categories=self._categories())
        WholeFileBackend().put_text(json.dumps(content), self.out_dir / FILE_NAME)
        print_log(f'Predictions are in {self.out_dir}', 'current')
        return {}

    def _categories(self) -> list[dict]:
        meta, names = self.dataset_meta, check_classes(self.dataset_meta)
        categories = [dict(id=number, name=name, isthing=int(number <= len(thing_classes(meta))))
                      for number, name in enumerate(names, start=1)]
        novel = meta.get('novel_classes')
        if novel is None:
            return categories
        return [dict(category, novel=int(category['name'] in novel)) for category in categories]

    def _write(self, sample: Mapping) -> tuple[dict, dict]:
        """Write the maps of a result; return its image, and its annotation if there is one."""
        image_id, (height, width) = sample['img_id'], sample['ori_shape'][:2]
        name, num_classes = _map_name(sample), len(self.dataset_meta['classes'])
        own, infos, more = OwnVocabulary.of(sample, self.dataset_meta), [], {}
        if own is not None:
            sample, more = own.translate(sample), dict(vocabulary=[i + 1 for i in own.labels])
        if 'pred_panoptic_seg' in sample:
            found = predicted_segments(sample, num_classes)
            areas = np.bincount(found.numbers.ravel(), minlength=len(found.labels) + 1).tolist()
            infos = [dict(id=number, category_id=label + 1, area=areas[number])
                     for number, label in enumerate(found.labels, start=1)]
            mmcv.imwrite(
                id2rgb(found.numbers)[..., ::-1], str(self.out_dir / 'panoptic' / name))
        if 'pred_sem_seg' in sample:
            labels = _as_array(sample['pred_sem_seg']['sem_seg'])
            mmcv.imwrite(labels.astype(np.uint8 if num_classes <= 256 else np.uint16),
                         str(self.out_dir / 'semantic' / name))
        image = dict(id=image_id, file_name=sample['img_path'], height=height, width=width)
        if 'pred_panoptic_seg' not in sample and 'pred_sem_seg' not in sample:
            return image, {}
        return image, dict(image_id=image_id, file_name=name, segments_info=infos, **more)


def _as_array(labels: Tensor) -> np.ndarray:
    return labels.reshape(labels.shape[-2:]).cpu().numpy()


def _map_name(sample: Mapping) -> str:
    """The name of a picture's maps, which no other picture has: it is as its id."""
    stem, image_id = Path(sample['img_path']).stem, str(sample['img_id'])
    named = stem if image_id == stem else f'{stem}-{image_id}'
    return re.sub(r'[^\w.=+@ -]', lambda found: f'%{ord(found[0]):02X}', named) + '.png'
