"""Mask AP of the things of a panoptic data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from mmdet.datasets.api_wrappers import COCO
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from mmdet.structures.mask import encode_mask_results
from mmengine.fileio import get_local_path

from .metainfo import check_known, thing_classes
from .panoptic_truth import PanopticTruth


@METRICS.register_module()
class OpenVocabularyInstanceMetric(CocoMetric):
    """mmdet's ``CocoMetric`` for panoptic data sets, which have stuff and perhaps no boxes.

    Figures are mmdet's, AP from 0 to 1. It differs in this:

    - The ground truth may be panoptic annotations, whose things are the instances; things that are
      annotated as a group (``iscrowd``) count as in COCO: what is found inside is ignored.
    - A label is the place of a class in the metainfo's ``classes``, the things first; mmdet goes by
      the order of the annotation file.
    - Only images that were tested count.

    Args:
        ann_file (str): COCO's instance annotations; or, with ``seg_prefix``, panoptic annotations.
        seg_prefix (str, optional): The folder of the panoptic annotations' PNG files. Defaults to
            None.
        metric (str | list[str]): As mmdet's. Defaults to 'segm', AP of the masks.
        **kwargs: As for ``CocoMetric``: ``classwise``, ``outfile_prefix``, …

    Raises:
        FileNotFoundError: If ``ann_file`` is not there.
        ValueError: If ``ann_file`` holds other annotations; or, when the data set is known, if
            things of its ``classes`` are not in ``ann_file``.
    """

    def __init__(
        self,
        ann_file: str,
        seg_prefix: str | None = None,
        metric: str | list[str] = 'segm',
        **kwargs,
    ) -> None:
        super().__init__(metric=metric, **kwargs)
        self._truth = None
        if seg_prefix is None:
            self._coco_api = self._load(ann_file)
        else:
            self._truth = PanopticTruth(ann_file, seg_prefix, self.backend_args)
            self._coco_api = _index(self._truth.categories)

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping) -> None:
        names = [category['name'] for category in self._coco_api.cats.values()]
        check_known(thing_classes(dataset_meta), names, 'things', 'categories of ann_file')
        self._dataset_meta = dict(dataset_meta)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the metrics.

        Args:
            results: What ``process`` has stored: an element an image.
        """
        images = [dict(gt, id=gt['img_id']) for gt, _ in results]
        self.img_ids = [image['id'] for image in images]
        if self._truth is not None:
            self._coco_api = _index(self._truth.categories, images, self._read_instances())
        ids = {category['name']: key for key, category in self._coco_api.cats.items()}
        ids = [ids[name] for name in thing_classes(self.dataset_meta)]
        self.cat_ids = sorted(ids)  # as COCO's evaluation has them, whatever it is given
        places = np.array([self.cat_ids.index(key) for key in ids], dtype=int)
        return super().compute_metrics(
            [(gt, {**pred, 'labels': places[pred['labels']]}) for gt, pred in results])

    def _load(self, ann_file: str) -> COCO:
        try:
            with get_local_path(ann_file, backend_args=self.backend_args) as path:
                return COCO(path)
        except (FileNotFoundError, KeyError) as error:
            kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
            raise kind(
                f'{type(self).__name__}: ann_file={ann_file!r} cannot be read as instance '
                f'annotations ({error!r}). Give a file of instances, such as '
                'annotations/instances_val2017.json of COCO; or panoptic annotations, by ann_file '
                'and seg_prefix, the folder of their PNG files.'
            ) from error

    def _read_instances(self) -> list[dict]:
        """The things of the images that were tested, as COCO's instance annotations."""
        things = {category['id'] for category in self._truth.categories if category['isthing']}
        annotations = []
        for image_id in self.img_ids:
            segment_ids, segments = self._truth.read(image_id)
            for segment in segments:
                if segment['category_id'] not in things:
                    continue
                mask = segment_ids == segment['id']
                annotations.append(dict(
                    id=len(annotations) + 1,  # 0 means "no match" in COCO's evaluation
                    image_id=image_id,
                    category_id=segment['category_id'],
                    iscrowd=segment.get('iscrowd', 0),
                    area=int(mask.sum()),
                    bbox=segment['bbox'],
                    segmentation=encode_mask_results([mask])[0]))
        return annotations


def _index(
    categories: list[dict], images: Sequence[dict] = (), annotations: Sequence[dict] = ()
) -> COCO:
    coco = COCO()
    coco.dataset = dict(categories=categories, images=images, annotations=annotations)
    coco.createIndex()
    return coco
