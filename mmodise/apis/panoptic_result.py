"""The panoptic result of an image in COCO's format."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmengine.structures import PixelData
from panopticapi.utils import id2rgb
from PIL import Image

from ..utils import WholeFileBackend
from ..utils.masks import bounding_box
from ..vocabulary import Vocabulary


@dataclass(frozen=True)
class PanopticResult:
    """Segments of one image, with their classes.

    ::

        inferencer = CheckedInferencer(model=CONFIG, weights=CHECKPOINT)
        sample, = inferencer(IMAGE, texts='cat; dog', return_datasamples=True)['predictions']
        vocabulary = inferencer.model.vocabulary_of(sample)
        result = PanopticResult.from_panoptic_seg(sample.pred_panoptic_seg, vocabulary)

    Args:
        segment_ids (ndarray): The segment of each pixel, int32, (H, W); 0 is void.
        segments_info (list[dict]): COCO's description of each segment: ``id``, ``category_id``
            (1 is the vocabulary's first class), ``isthing`` (0 or 1), ``area`` in pixels, ``bbox``
            (left, top, width, height, in pixels) and ``iscrowd`` (0).
        vocabulary (Vocabulary): The classes.
    """

    segment_ids: np.ndarray
    segments_info: list[dict]
    vocabulary: Vocabulary

    @classmethod
    def from_panoptic_seg(cls, panoptic_seg: PixelData, vocabulary: Vocabulary) -> PanopticResult:
        """Convert mmdet's result.

        Args:
            panoptic_seg (PixelData): ``sem_seg``, (1, H, W), is class + 1000 x instance; a class
                beyond the vocabulary is void. These numbers become the segments' ids.
            vocabulary (Vocabulary): The classes that it was made with.
        """
        segment_map = panoptic_seg.sem_seg[0].cpu().numpy()
        is_void = segment_map % INSTANCE_OFFSET >= len(vocabulary)
        segment_ids = np.where(is_void, 0, segment_map).astype(np.int32)
        infos = [
            _describe(segment_id, segment_ids == segment_id, vocabulary)
            for segment_id in np.unique(segment_map[~is_void]).tolist()
        ]
        return cls(segment_ids, infos, vocabulary)

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


def _describe(segment_id: int, mask: np.ndarray, vocabulary: Vocabulary) -> dict:
    label = segment_id % INSTANCE_OFFSET
    return dict(
        id=segment_id,
        category_id=label + 1,
        isthing=int(label < vocabulary.num_things),
        area=int(mask.sum()),
        bbox=bounding_box(mask),
        iscrowd=0)
