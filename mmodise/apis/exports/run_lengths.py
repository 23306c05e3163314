"""COCO's run lengths of masks."""

from __future__ import annotations

import numpy as np
from pycocotools import mask as coco_mask


def run_lengths(mask: np.ndarray) -> dict:
    """Encode a mask, bool, (H, W), as JSON has it: ``size`` and compressed ``counts``."""
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return dict(size=list(mask.shape), counts=encoded['counts'].decode('ascii'))
