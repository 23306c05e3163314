"""All that a result says, as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ...utils.masks import run_lengths
from .names import json_number, picture_name

if TYPE_CHECKING:
    from ..panoptic_result import PanopticResult
    from ..segment import Segment


def encode_json(result: PanopticResult, path: Path) -> dict[Path, bytes]:
    """Make a JSON with ``image``, ``segments`` with masks as COCO's run lengths, ``vocabulary``."""
    height, width = result.segment_ids.shape
    content = dict(
        image=dict(file_name=picture_name(result, path), height=height, width=width),
        segments=[_describe(result, segment) for segment in result.segments],
        vocabulary=result.vocabulary.to_metainfo())
    return {path: json.dumps(content, ensure_ascii=False, indent=1).encode()}


def _describe(result: PanopticResult, segment: Segment) -> dict:
    return dict(
        id=segment.id, name=segment.name, names=segment.names, isthing=int(segment.is_thing),
        score=json_number(segment.score), area=segment.area, box=segment.box,
        runners_up=[dict(name=name, score=json_number(score))
                    for name, score in segment.runners_up],
        mask=run_lengths(result.segment_ids == segment.id))
