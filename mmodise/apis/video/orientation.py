"""Frames turned as a video's display matrix says, which is how phones store upright videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


def display_matrix(frame: VideoFrame) -> np.ndarray | None:
    """The linear part of a frame's display matrix, int, (2, 2); None if it has no such matrix.

    Source: FFmpeg, libavutil/display.h: nine numbers a, b, u, c, d, v, x, y, w; a pixel (p, q) is
    shown at (a p + c q + x, b p + d q + y) / 65536.
    """
    from av.sidedata.sidedata import Type
    data = frame.side_data.get(Type.DISPLAYMATRIX)
    return None if data is None else np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2]


def upright(image: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """Turn and mirror a frame as it is to be shown, by the nearest quarter of a turn.

    Args:
        image (ndarray): (H, W, 3).
        matrix (ndarray, optional): See :func:`display_matrix`.
    """
    if matrix is None:
        return image
    (a, b), (c, d) = matrix
    if swaps_sides(matrix):
        image, rightwards, downwards = image.swapaxes(0, 1), c, b
    else:
        rightwards, downwards = a, d
    image = image[:, ::-1] if rightwards < 0 else image
    image = image[::-1] if downwards < 0 else image
    return np.ascontiguousarray(image)


def swaps_sides(matrix: np.ndarray | None) -> bool:
    """Whether what is stored as width is shown as height."""
    return matrix is not None and abs(int(matrix[0, 1])) > abs(int(matrix[0, 0]))
