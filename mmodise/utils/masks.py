"""What can be read off masks."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from pycocotools import mask as mask_utils
from torch import Tensor


def bounding_box(mask: np.ndarray) -> list[int]:
    """COCO's box of a mask that is not empty, (H, W): left, top, width, height, in pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]


def encode_masks(masks: Tensor | np.ndarray) -> list[dict]:
    """COCO's run lengths of masks of one image, as mmdet's ``encode_mask_results``, all at once.

    Args:
        masks (Tensor | ndarray): Of bool or 0 and 1, (N, H, W).

    Returns:
        list[dict]: Of each ``size`` and ``counts``, bytes.
    """
    masks = np.ascontiguousarray(torch.as_tensor(masks).to(torch.uint8).cpu().numpy())
    number, height, width = masks.shape
    turned = np.empty((number, width, height), np.uint8)  # COCO goes down the columns
    for mask, columns in zip(masks, turned, strict=True):
        cv2.transpose(mask, columns)
    return mask_utils.encode(turned.transpose(2, 1, 0))
