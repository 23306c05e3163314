"""The segments as supervision has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...utils.optional import import_optional

if TYPE_CHECKING:
    from supervision import Detections

    from ..panoptic_result import PanopticResult


def to_supervision(result: PanopticResult) -> Detections:
    """Make ``supervision.Detections`` of all segments, things and stuff.

    ``class_id`` is the label; ``data`` has ``class_name``, ``is_thing`` and ``segment_id``.

    Raises:
        ImportError: If supervision is not installed.
    """
    supervision = import_optional('supervision', extra='supervision')
    segments = result.segments
    return supervision.Detections(
        xyxy=np.array([s.box for s in segments], np.float32).reshape(-1, 4),
        mask=result.masks,
        confidence=np.array([s.score for s in segments], np.float32),
        class_id=np.array([s.label for s in segments], int),
        data=dict(
            class_name=np.array([s.name for s in segments], str),
            is_thing=np.array([s.is_thing for s in segments], bool),
            segment_id=np.array([s.id for s in segments], int)))
