"""Maps of classes, whose values become labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from ...utils.masks import count_values
from ..panoptic.orientation import check_same_size
from ..panoptic.segment_map import MapError, read_numbers


@TRANSFORMS.register_module()
class LoadSemanticMap(BaseTransform):
    """Load the map of classes of an image, of 8 or 16 bits or with a palette.

    In a test pipeline it stands after ``Resize``: the map stays as large as the original image.

    Required keys: ``seg_map_path``, ``label_map`` (of each value that maps may have its label, or
    ``ignore_index``), ``ignore_index``; of the image, if it is loaded, ``ori_shape``.

    Added key: ``gt_seg_map``, (H, W), int32.

    Raises:
        ValueError: If the map cannot be read, is not of the image's size, or has a value that is
            not in ``label_map``; names it.
    """

    def transform(self, results: dict) -> dict:
        """Add the labels, if the image has a map."""
        path = results['seg_map_path']
        if path is not None:
            values = read_numbers(path)
            if 'ori_shape' in results:
                check_same_size(results['img_path'], results['ori_shape'][:2], path, values.shape)
            results['gt_seg_map'] = map_labels(values, results['label_map'], path)
        return results


def map_labels(values: np.ndarray, label_map: Mapping[int, int], path: str) -> np.ndarray:
    """The label of each value of a map, (H, W), int32.

    Raises:
        MapError: If a value has none; names the map, the value and how often it is there.
    """
    counts = count_values(values)
    unknown = [value for value in counts if value not in label_map]
    if unknown:
        known = sorted(label_map)
        raise MapError(
            'maps with values that mean nothing',
            f'{path}: {counts[unknown[0]]} pixels have the value {unknown[0]}; expected one of the '
            f'{len(known)} values from {known[0]} to {known[-1]} that the data set knows. Is it '
            "this data set's map, and in the form that the data set reads?")
    table = np.zeros(max(counts, default=0) + 1, np.int32)
    table[list(counts)] = [label_map[value] for value in counts]
    return table[values]
