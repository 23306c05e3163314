"""Batches of images and of maps of classes, for any number of classes."""

from collections.abc import Sequence

import torch
from mmdet.models import DetDataPreprocessor
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from torch import nn


@MODELS.register_module()
class PanopticDataPreprocessor(DetDataPreprocessor):
    """mmdet's ``DetDataPreprocessor``, whose padding of maps is void for any number of classes.

    Maps of bytes are padded with ``seg_pad_value``. Others hold labels above 255, of which 255 is
    a class, and are padded with a label that no class has.

    Args:
        pad_colour (Sequence[float], optional): Colour of what images are padded with, RGB as the
            model is given it; FC-CLIP's is the mean colour of CLIP, in [0, 1]. Defaults to None:
            ``pad_value`` in all channels.
        **kwargs: As in :class:`mmdet.models.DetDataPreprocessor`.

    Raises:
        ValueError: If ``pad_colour`` is not three numbers, or does not go with ``batch_augments``.
    """

    def __init__(self, *args, pad_colour: Sequence[float] | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if pad_colour is not None and (len(pad_colour) != 3 or self.batch_augments is not None):
            raise ValueError(
                f'model.data_preprocessor.pad_colour={pad_colour!r} must be three numbers, R, G, '
                'B, and cannot go with batch_augments, which change the sizes of images.')
        self.pad_colour = pad_colour

    def forward(self, data: dict, training: bool = False) -> dict:
        """As the parent's, with padding of the colour."""
        sizes = [image.shape[-2:] for image in data['inputs']]
        data = super().forward(data, training)
        if self.pad_colour is not None:
            colour = data['inputs'].new_tensor(self.pad_colour)[:, None, None]
            for image, (height, width) in zip(data['inputs'], sizes, strict=True):
                image[:, height:] = colour
                image[:, :height, width:] = colour
        return data

    def pad_gt_sem_seg(self, batch_data_samples: Sequence[DetDataSample]) -> None:
        """Pad ``gt_sem_seg`` of each sample to the size of the batch."""
        given = self.seg_pad_value
        for sample in batch_data_samples:
            if 'gt_sem_seg' in sample:
                dtype = sample.gt_sem_seg.sem_seg.dtype
                self.seg_pad_value = (
                    given if dtype == torch.uint8 else torch.iinfo(dtype).max)
                super().pad_gt_sem_seg([sample])
        self.seg_pad_value = given


def check_padding(preprocessor: nn.Module, num_classes: int) -> None:
    """Refuse a preprocessor that pads maps of classes with one of these.

    Raises:
        ValueError: If it does, as mmdet's may with more than 255 classes.
    """
    label = getattr(preprocessor, 'seg_pad_value', num_classes)
    if label < num_classes and not isinstance(preprocessor, PanopticDataPreprocessor):
        raise ValueError(
            f'There are {num_classes} classes, and images of a batch are padded with the label '
            f"{label} of one of them. Set model.data_preprocessor.type='PanopticDataPreprocessor'.")
