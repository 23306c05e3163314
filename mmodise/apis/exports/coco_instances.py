"""COCO's instance format: things with masks as run lengths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ...utils.masks import run_lengths
from .names import json_number, picture_name

if TYPE_CHECKING:
    from ..panoptic_result import PanopticResult


def encode_coco_instances(result: PanopticResult, path: Path) -> dict[Path, bytes]:
    """Make a JSON of the things; stuff, which has no instances, is not in it."""
    text = json.dumps(coco_instances(result, picture_name(result, path)), ensure_ascii=False)
    return {path: text.encode()}


def coco_instances(result: PanopticResult, image_name: str) -> dict:
    """COCO's ``images``, ``annotations``, which also have a ``score``, and ``categories``.

    Args:
        result (PanopticResult): The result.
        image_name (str): What the image is called.
    """
    height, width = result.segment_ids.shape
    things = [(segment, info) for segment, info in zip(
        result.segments, result.segments_info, strict=True) if segment.is_thing]
    annotations = [
        dict(id=number, image_id=1, category_id=info['category_id'], area=info['area'],
             bbox=info['bbox'], iscrowd=0, score=json_number(segment.score),
             segmentation=run_lengths(result.segment_ids == segment.id))
        for number, (segment, info) in enumerate(things, start=1)]
    return dict(
        images=[dict(id=1, file_name=image_name, height=height, width=width)],
        annotations=annotations,
        categories=[dict(id=category['id'], name=category['name'])
                    for category in result.categories if category['isthing']])
