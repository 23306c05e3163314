"""What can be read off a mask."""

import numpy as np


def bounding_box(mask: np.ndarray) -> list[int]:
    """COCO's box of a mask that is not empty, (H, W): left, top, width, height, in pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]
