"""Resizing with Pillow, for any number of classes."""

from collections.abc import Iterable

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms import Resize as BaseResize
from mmdet.datasets.transforms import Resize
from mmdet.registry import TRANSFORMS
from PIL import Image


@TRANSFORMS.register_module()
class PillowResize(Resize):
    """mmdet's ``Resize`` with Pillow, which antialiases what it makes smaller.

    It differs in this: maps of classes may have labels above 255.

    Args:
        *args: As for ``Resize``; ``backend`` is ``'pillow'``.
        **kwargs: As for ``Resize``.
    """

    def __init__(self, *args, backend: str = 'pillow', **kwargs) -> None:
        super().__init__(*args, backend=backend, **kwargs)

    def _resize_seg(self, results: dict) -> None:
        labels = results.get('gt_seg_map')
        if labels is None or labels.dtype == np.uint8:
            super()._resize_seg(results)
        else:
            height, width = results['img_shape']
            resized = Image.fromarray(labels.astype(np.int32)).resize(
                (width, height), Image.Resampling.NEAREST)
            results['gt_seg_map'] = np.array(resized)


def refuse_bytes_only(steps: Iterable) -> None:
    """Refuse steps of a pipeline that resize maps of classes in bytes, as Pillow does in mmcv.

    Args:
        steps (Iterable): Steps, which may hold others.

    Raises:
        ValueError: If there is one.
    """
    for step in steps:
        if isinstance(step, BaseResize) and step.backend == 'pillow' and not isinstance(
                step, PillowResize):
            raise ValueError(
                "There are more than 255 classes, and Resize with backend='pillow' knows maps of "
                "bytes only. Take type='PillowResize'; or resize_type='PillowResize' where another "
                'step resizes.')
        if isinstance(step, BaseTransform):
            refuse_bytes_only(vars(step).values())
        elif isinstance(step, (list, tuple)):
            refuse_bytes_only(step)
