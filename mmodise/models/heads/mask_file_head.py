"""Masks that somebody else has found, from a file."""

from __future__ import annotations

import logging

import numpy as np
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, SampleList
from mmdet.utils import ConfigType
from mmengine.logging import print_log
from torch import Tensor

from ...datasets.mask_files import MaskFile
from ...vocabulary import Vocabulary
from .mask_source import MaskPredictions, MaskSource

_LOGIT = 10.0  # inside of a mask; outside it is the negative


@MODELS.register_module()
class MaskFileHead(MaskSource):
    """Masks from a file, which a classifier names; nothing is trained.

    The file has masks of each picture, of its own size, which are found by the picture's file name,
    see :class:`MaskFile`; here they follow the picture through the pipeline: resized, flipped and
    padded. They may overlap. Masks without a pixel cannot be named, they are left out and told.
    With ``PixelBackbone`` nothing else is computed.

    Args:
        file (str): COCO's panoptic JSON with its PNGs; COCO's instances or results, with run
            lengths or polygons; an NPZ; a folder, or a pattern, of such files.
        vocabulary (dict): The vocabulary for images that bring none, see
            :meth:`Vocabulary.from_metainfo`.
        images (str, optional): A JSON with the list ``images`` that ids of COCO's results are of.
            Defaults to None.
        use_scores (bool): Whether scores in the file are the probability that a mask is an object
            or a region; a mask is dropped where "no object" is more probable than each name. If
            not, all masks are named. Defaults to True.
        overlaps (str, optional): To whom a pixel of several masks belongs: 'score', the best score
            of the mask times that of its name, or 'smaller', the smallest mask, which lies in front
            of what it is a part of. Defaults to None, by scores if the file has any that are used.
        train_cfg (dict, optional): Not read.
        test_cfg (dict, optional): Not read.
        init_cfg (dict, optional): As in :class:`mmengine.model.BaseModule`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If an entry of it is not valid; names it.
    """

    def __init__(
        self,
        file: str,
        vocabulary: ConfigType,
        images: str | None = None,
        use_scores: bool = True,
        overlaps: str | None = None,
        train_cfg: ConfigType | None = None,
        test_cfg: ConfigType | None = None,
        init_cfg: ConfigType | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if overlaps not in (None, 'score', 'smaller'):
            raise ValueError(f"MaskFileHead: overlaps={overlaps!r}; give 'score' or 'smaller'.")
        self.overlaps = overlaps
        self.vocabulary = Vocabulary.from_metainfo(vocabulary)
        self.mask_file = MaskFile(file, images)
        self.use_scores = use_scores

    def find(self, x: tuple[Tensor, ...], batch_data_samples: SampleList) -> MaskPredictions:
        """Read masks; of ``x`` the device counts.

        Raises:
            ValueError: If a picture has no file name, is not in the file or of another size; or the
                pipeline cuts parts out of pictures.
        """
        masks, objectness = zip(
            *(self._read(sample, x[0].device) for sample in batch_data_samples), strict=True)
        is_scored = any(scores is not None for scores in objectness)
        if is_scored:
            objectness = [masks[i].new_ones(len(masks[i])) if scores is None else scores
                          for i, scores in enumerate(objectness)]
        return MaskPredictions(list(masks), objectness=list(objectness) if is_scored else None)

    def _read(
        self, sample: DetDataSample, device: torch.device
    ) -> tuple[Tensor, Tensor | None]:
        """Mask logits of a padded image, (N, H, W), and scores, (N,)."""
        path = sample.get('img_path')
        if path is None:
            raise ValueError(
                f'Masks of {self.mask_file.source} belong to files: give the picture as a file, '
                "and list 'img_path' in the meta_keys of PackDetInputs. Pictures in memory and "
                'frames of videos have no name.')
        _check_pipeline(sample)
        masks, scores = self.mask_file.read(path, tuple(sample.ori_shape[:2]))
        is_scored = scores is not None and self.use_scores
        if (self.overlaps or ('score' if is_scored else 'smaller')) == 'smaller':
            masks = _smallest_in_front(masks)
        there = masks.any(axis=(1, 2))
        if not there.all():
            print_log(f'{path}: {np.count_nonzero(~there)} of {len(there)} masks have no pixel of '
                      'their own and are left out.', 'current', logging.WARNING)
        logits = _place(masks[there], sample, device)
        if not is_scored:
            return logits, None
        return logits, torch.from_numpy(scores[there]).to(device, torch.float32)


def _smallest_in_front(masks: np.ndarray) -> np.ndarray:
    """Masks without the pixels of smaller ones, (N, H, W); of equal ones the first is in front."""
    seen, taken = np.empty_like(masks), np.zeros(masks.shape[1:], bool)
    for place in masks.sum((1, 2)).argsort(kind='stable'):
        seen[place] = masks[place] & ~taken
        taken |= masks[place]
    return seen


def _check_pipeline(sample: DetDataSample) -> None:
    """Refuse steps after which nobody knows where a mask is."""
    scale = sample.get('scale_factor')
    if scale is None:
        return
    height, width = sample.ori_shape[:2]
    resized = height * scale[1], width * scale[0]
    if any(abs(a - b) > 1 for a, b in zip(resized, sample.img_shape[:2], strict=True)):
        raise ValueError(
            f'{sample.img_path}: of {width} x {height} pixels, resized by {scale[0]:g} and '
            f'{scale[1]:g}, the pipeline made {sample.img_shape[1]} x {sample.img_shape[0]}. '
            'Masks of a file follow Resize and RandomFlip only: leave out steps that cut or pad.')


def _place(masks: np.ndarray, sample: DetDataSample, device: torch.device) -> Tensor:
    """Mask logits of the padded image, (N, H, W), from masks of the original."""
    height, width = sample.img_shape[:2]
    placed = torch.full(
        (len(masks), *sample.batch_input_shape), -_LOGIT, device=device)
    for target, mask in zip(placed, torch.from_numpy(masks), strict=True):
        mask = mask.to(device, torch.float32)
        if mask.shape != (height, width):
            mask = F.interpolate(mask[None, None], (height, width), mode='bilinear',
                                 align_corners=False, antialias=True)[0, 0]
        target[:height, :width] = _LOGIT * (2 * mask - 1)
    if not sample.get('flip'):
        return placed
    direction = sample.get('flip_direction') or 'horizontal'
    axes = [axis for axis, names in ((1, ('vertical', 'diagonal')), (2, ('horizontal', 'diagonal')))
            if direction in names]
    placed[:, :height, :width] = placed[:, :height, :width].flip(axes)
    return placed
