"""The panoptic result of an image."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmengine.structures import PixelData
from panopticapi.utils import id2rgb
from PIL import Image

from ..utils import WholeFileBackend
from ..vocabulary import Vocabulary
from .segment import Segment, measure_segments


@dataclass(frozen=True, eq=False)
class PanopticResult:
    """Segments of one image, with their classes.

    Args:
        segment_ids (ndarray): The segment of each pixel, int32, (H, W); 0 is void.
        segments (tuple[Segment, ...]): In the order of their numbers.
        vocabulary (Vocabulary): The classes.
        image (ndarray, optional): RGB, uint8, (H, W, 3). Defaults to None, not kept.
        path (str, optional): The file that the image came from. Defaults to None.
        mask_embeddings (ndarray, optional): One per segment, float32, (n, C). Defaults to None.
    """

    segment_ids: np.ndarray
    segments: tuple[Segment, ...]
    vocabulary: Vocabulary
    image: np.ndarray | None = None
    path: str | None = None
    mask_embeddings: np.ndarray | None = None

    @classmethod
    def from_panoptic_seg(cls, panoptic_seg: PixelData, vocabulary: Vocabulary) -> PanopticResult:
        """Convert mmdet's result, which does not tell scores: they are nan.

        Args:
            panoptic_seg (PixelData): ``sem_seg``, (1, H, W), is class + 1000 x instance; a class
                beyond the vocabulary is void. These numbers become the segments' ids.
            vocabulary (Vocabulary): The classes that it was made with, 999 at most.
        """
        segment_map = panoptic_seg.sem_seg[0].cpu().numpy()
        is_void = segment_map % INSTANCE_OFFSET >= len(vocabulary)
        segment_ids = np.where(is_void, 0, segment_map).astype(np.int32)
        ids = np.unique(segment_map[~is_void])
        numbers = np.where(is_void, 0, np.searchsorted(ids, segment_map) + 1)
        segments = tuple(
            Segment.of_class(
                i, i % INSTANCE_OFFSET, vocabulary, score=math.nan, area=area, box=box)
            for i, area, box in zip(
                ids.tolist(), *measure_segments(numbers, len(ids)), strict=True))
        return cls(segment_ids, segments, vocabulary)

    @property
    def segments_info(self) -> list[dict]:
        """COCO's description of each segment.

        It has ``id``, ``category_id`` (1 is the vocabulary's first class), ``isthing`` (0 or 1),
        ``area`` in pixels, ``bbox`` (left, top, width, height, in pixels) and ``iscrowd`` (0).
        """
        return [_describe(segment) for segment in self.segments]

    def class_name(self, segment: dict) -> str:
        """The displayed name of the class of one of ``segments_info``."""
        return self.vocabulary.class_names[segment['category_id'] - 1]

    @property
    def categories(self) -> list[dict]:
        """The vocabulary as COCO's list of categories."""
        return [
            dict(id=index + 1, name=name, isthing=int(index < self.vocabulary.num_things))
            for index, name in enumerate(self.vocabulary.class_names)
        ]

    def save(self, png_file: str | Path, json_file: str | Path, image_file: str | Path) -> None:
        """Write COCO's panoptic PNG and JSON, see :meth:`encode`.

        Args:
            png_file (str | Path): Gets the map of the segments.
            json_file (str | Path): Gets ``images``, ``annotations`` and ``categories``.
            image_file (str | Path): The image that the JSON is about, whose name it contains.
        """
        png, text = self.encode(Path(png_file).name, Path(image_file).name)
        backend = WholeFileBackend()
        backend.put(png, png_file)
        backend.put(text, json_file)

    def encode(self, png_name: str, image_name: str) -> tuple[bytes, bytes]:
        """Make the content of COCO's panoptic PNG and JSON.

        Args:
            png_name (str): What the PNG will be called; its colours are segment ids,
                R + 256 G + 65536 B.
            image_name (str): What the image is called.
        """
        height, width = self.segment_ids.shape
        content = dict(
            images=[dict(id=1, file_name=image_name, height=height, width=width)],
            annotations=[dict(
                image_id=1, file_name=png_name, segments_info=self.segments_info)],
            categories=self.categories)
        png = io.BytesIO()
        Image.fromarray(id2rgb(self.segment_ids)).save(png, 'PNG')
        text = json.dumps(content, ensure_ascii=False, indent=1)
        return png.getvalue(), text.encode()


def _describe(segment: Segment) -> dict:
    left, top, right, bottom = segment.box
    return dict(
        id=segment.id,
        category_id=segment.label + 1,
        isthing=int(segment.is_thing),
        area=segment.area,
        bbox=[left, top, right - left, bottom - top],
        iscrowd=0)
