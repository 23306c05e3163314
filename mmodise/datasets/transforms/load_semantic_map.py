"""Maps of classes, whose values become labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from ..converters.annotated import AnnotationError
from ..converters.class_maps import check_shape, read_numbers

_UNKNOWN = -1


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
                check_shape(values, results['ori_shape'][:2], path)
            results['gt_seg_map'] = map_labels(values, results['label_map'], path)
        return results


def map_labels(values: np.ndarray, label_map: Mapping[int, int], path: str) -> np.ndarray:
    """The label of each value of a map, (H, W), int32.

    Raises:
        AnnotationError: If a value has none; names the map, the value and how often it is there.
    """
    table = np.full(max(label_map) + 2, _UNKNOWN, np.int32)  # the last: of all other values
    table[list(label_map)] = list(label_map.values())
    labels = table[values.astype(np.int64).clip(-1, len(table) - 1)]
    if labels.min() == _UNKNOWN:
        unknown = np.unique(values[labels == _UNKNOWN]).tolist()
        count = int((values == unknown[0]).sum())
        known = sorted(label_map)
        raise AnnotationError(
            f'{path}: {count} pixels have the value {unknown[0]}; expected one of the '
            f'{len(known)} values from {known[0]} to {known[-1]} that the data set knows. Is it '
            "this data set's map, and in the form that the data set reads?")
    return labels
