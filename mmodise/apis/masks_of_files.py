"""A model whose masks come from a file."""

from __future__ import annotations

import copy
import os
from pathlib import Path

from mmengine.config import Config


def take_masks(cfg: Config, masks: str | Path, images: str | Path | None = None) -> Config:
    """The config with :class:`MaskFileHead` in place of its mask source, and nothing before it.

    Classifier, fusion and vocabulary stay. The backbone hands on the picture, so that what a
    checkpoint has for backbone and head is not needed.

    Args:
        cfg (Config): Of a model with a classifier; is not changed.
        masks (str | Path): See :class:`MaskFileHead`.
        images (str | Path, optional): Likewise.

    Raises:
        ValueError: If the model is of another kind, or has no classifier to name masks.
    """
    cfg = copy.deepcopy(cfg)
    model = cfg.model
    where = cfg.filename or 'The config'
    if model.get('classifier') is None:
        raise ValueError(
            f'{where} has no classifier, and masks of a file are named by nothing else. Take a '
            'config with model.classifier, such as a CLIPClassifier.')
    vocabulary = (model.get('panoptic_head') or {}).get('vocabulary')
    if vocabulary is None:
        raise ValueError(f'{where} has no model.panoptic_head.vocabulary; its model is not ODISE.')
    model.panoptic_head = dict(
        type='MaskFileHead', file=os.fspath(masks), vocabulary=vocabulary,
        images=None if images is None else os.fspath(images))
    model.backbone = dict(type='PixelBackbone')
    model.pop('neck', None)
    return cfg
