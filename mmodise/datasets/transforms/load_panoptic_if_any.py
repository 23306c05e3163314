"""Panoptic annotations of data sets in which not every image has them."""

import numpy as np
from mmdet.datasets.transforms import LoadPanopticAnnotations
from mmdet.registry import TRANSFORMS
from mmdet.structures.mask import BitmapMasks


@TRANSFORMS.register_module()
class LoadPanopticIfAny(LoadPanopticAnnotations):
    """mmdet's ``LoadPanopticAnnotations``; an image without an annotation map has empty ones.

    Added key: ``has_masks``, False where ``seg_map_path`` is None. ``gt_masks`` are none then, and
    ``gt_seg_map`` is void (255) everywhere, so that such images and others go into one batch.
    ``PackDetInputs`` must list ``has_masks`` in ``meta_keys``.

    ``gt_seg_map`` is of uint8, which Pillow needs to resize it, unless a label is larger.
    """

    def transform(self, results: dict) -> dict:
        """Add the annotations, and whether there are any."""
        results = super().transform(results)
        results['has_masks'] = results['seg_map_path'] is not None
        if not results['has_masks']:
            height, width = results['ori_shape']
            results['gt_masks'] = BitmapMasks([], height, width)
            results['gt_seg_map'] = np.full((height, width), 255)
        if results['gt_seg_map'].max() <= 255:
            results['gt_seg_map'] = results['gt_seg_map'].astype(np.uint8)
        return results
