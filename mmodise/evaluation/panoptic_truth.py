"""COCO's panoptic annotations, read for metrics that are not about panoptic quality."""

import os.path as osp

import numpy as np
from mmcv import imread
from mmdet.datasets.api_wrappers import COCOPanoptic
from mmengine.fileio import get_local_path
from panopticapi.utils import rgb2id


class PanopticTruth:
    """The segments of annotated images, read image by image.

    Args:
        ann_file (str): COCO's panoptic JSON file.
        seg_prefix (str): The folder of its PNG files.
        backend_args (dict, optional): As mmdet's. Defaults to None.
    """

    def __init__(self, ann_file: str, seg_prefix: str, backend_args: dict | None = None) -> None:
        with get_local_path(ann_file, backend_args=backend_args) as path:
            self._coco = COCOPanoptic(path)
        self._seg_prefix = seg_prefix
        self._backend_args = backend_args

    @property
    def categories(self) -> list[dict]:
        """COCO's categories, each with ``id``, ``name`` and ``isthing``."""
        return list(self._coco.cats.values())

    def read(self, image_id: int) -> tuple[np.ndarray, list[dict]]:
        """Read the segments of an image.

        Returns:
            tuple: Segment ids, (H, W), 0 where there is none; and what the JSON file says of each
            segment: ``id``, ``category_id``, ``iscrowd``.
        """
        path = osp.join(self._seg_prefix, self._coco.imgs[image_id]['segm_file'])
        png = imread(path, channel_order='rgb', backend_args=self._backend_args)
        return rgb2id(png), self._coco.imgToAnns[image_id]
