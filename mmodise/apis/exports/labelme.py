"""LabelMe's format: a JSON with shapes that can be edited."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from .names import picture_name

if TYPE_CHECKING:
    from ..panoptic_result import PanopticResult
    from ..segment import Segment

_VERSION = '5.4.1'  # the first versions with shapes of the type 'mask' are 5.3
_TOLERANCE = 0.5  # pixels between a polygon and the outline


def encode_labelme(result: PanopticResult, path: Path) -> dict[Path, bytes]:
    """Make a JSON of all segments.

    Outlines are polygons, simplified by half a pixel. The parts of a segment that is not in one
    piece are shapes with one ``group_id``. LabelMe's polygons have no holes, so a segment with
    holes is a shape of the type ``mask``, a picture of its pixels.
    """
    height, width = result.segment_ids.shape
    content = dict(
        version=_VERSION, flags={},
        shapes=[shape for segment in result.segments for shape in _shapes(result, segment)],
        imagePath=_image_path(result, path), imageData=None, imageHeight=height, imageWidth=width)
    return {path: json.dumps(content, ensure_ascii=False, indent=1).encode()}


def _image_path(result: PanopticResult, path: Path) -> str:
    """The picture, as seen from the folder of the file."""
    if result.path and os.path.exists(result.path):
        return Path(os.path.relpath(result.path, path.parent)).as_posix()
    return picture_name(result, path)


def _shapes(result: PanopticResult, segment: Segment) -> list[dict]:
    left, top, right, bottom = segment.box
    mask = result.segment_ids[top:bottom, left:right] == segment.id
    polygons = _polygons(mask)
    if polygons is None:
        corners = [[left, top], [right - 1, bottom - 1]]  # both belong to the patch
        return [_shape(segment.name, 'mask', corners, None, _png(mask))]
    group = segment.id if len(polygons) > 1 else None
    return [_shape(segment.name, 'polygon', np.add(polygon, (left, top)).tolist(), group)
            for polygon in polygons]


def _shape(
    label: str, kind: str, points: list, group: int | None, mask: str | None = None
) -> dict:
    return dict(label=label, points=points, group_id=group, description='', shape_type=kind,
                flags={}, mask=mask)


def _polygons(mask: np.ndarray) -> list[np.ndarray] | None:
    """The outlines of the parts of a mask, (n, 2) each, (x, y); None if it has holes.

    A pixel is the square from its number to the next. Found on half pixels, outlines run a quarter
    of a pixel inside the mask, so that all its pixels' centres are within, and no others.
    """
    halves = np.pad(mask, 1).repeat(2, axis=0).repeat(2, axis=1).astype(np.uint8)
    outlines, hierarchy = cv2.findContours(halves, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if (hierarchy[0, :, 3] >= 0).any():
        return None
    return [(_simplify(outline)[:, 0] + 0.5) / 2 - 1 for outline in outlines]


def _simplify(outline: np.ndarray) -> np.ndarray:
    simple = cv2.approxPolyDP(outline, 2 * _TOLERANCE, closed=True)
    return simple if len(simple) > 2 else outline


def _png(mask: np.ndarray) -> str:
    png = io.BytesIO()
    Image.fromarray(mask).save(png, 'PNG')
    return base64.b64encode(png.getvalue()).decode('ascii')
