"""A result as Hugging Face's ``post_process_panoptic_segmentation`` gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ..panoptic_result import PanopticResult


def to_transformers(result: PanopticResult) -> dict:
    """Make ``segmentation``, int32, (H, W), 0 is void, and ``segments_info``.

    Each segment has ``id``, ``label_id``, ``was_fused`` (stuff, which is one segment in however
    many pieces) and ``score``.
    """
    infos = [
        dict(id=segment.id, label_id=segment.label, was_fused=not segment.is_thing,
             score=segment.score)
        for segment in result.segments]
    return dict(segmentation=torch.tensor(result.segment_ids), segments_info=infos)
