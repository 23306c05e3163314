"""The picture with its segments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    from ..panoptic_result import PanopticResult

PICTURE_ENDINGS = ('.jpg', '.jpeg', '.webp', '.bmp', '.tif', '.tiff')


def encode_picture(result: PanopticResult, path: Path) -> dict[Path, bytes]:
    """Make a picture, see ``PanopticResult.plot``; a small image is scaled up.

    Raises:
        ValueError: If the format cannot hold a picture of this size.
    """
    picture = result.plot(min_side=480)
    is_written, encoded = cv2.imencode(path.suffix, picture[..., ::-1])
    if not is_written:
        height, width = picture.shape[:2]
        raise ValueError(
            f'{path}: a picture of {width} x {height} pixels cannot be written as '
            f'{path.suffix}. Use .png.')
    return {path: encoded.tobytes()}
