"""COCO's panoptic format: a PNG with the segments, and a JSON with their classes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from panopticapi.utils import id2rgb
from PIL import Image

from .names import picture_name

if TYPE_CHECKING:
    from ..panoptic_result import PanopticResult


def encode_coco_panoptic(result: PanopticResult, path: Path) -> dict[Path, bytes]:
    """Make ``NAME.png`` and ``NAME.json``; ``path`` is one of them."""
    png, text = path.with_suffix('.png'), path.with_suffix('.json')
    contents = panoptic_contents(result, png.name, picture_name(result, path))
    return dict(zip((png, text), contents, strict=True))


def panoptic_contents(
    result: PanopticResult, png_name: str, image_name: str
) -> tuple[bytes, bytes]:
    """Make the content of the PNG and of the JSON.

    Args:
        result (PanopticResult): The result.
        png_name (str): What the PNG will be called; its colours are segment ids,
            R + 256 G + 65536 B.
        image_name (str): What the image is called.
    """
    height, width = result.segment_ids.shape
    content = dict(
        images=[dict(id=1, file_name=image_name, height=height, width=width)],
        annotations=[dict(
            image_id=1, file_name=png_name, segments_info=result.segments_info)],
        categories=result.categories)
    png = io.BytesIO()
    Image.fromarray(id2rgb(result.segment_ids)).save(png, 'PNG')
    return png.getvalue(), json.dumps(content, ensure_ascii=False, indent=1).encode()
