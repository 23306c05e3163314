"""The panoptic result of an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmengine.structures import PixelData

from ..datasets.pictures import read_picture
from ..utils import WholeFileBackend
from ..visualization import draw_panoptic, enlarge
from ..visualization.panoptic_picture import number_segments
from ..vocabulary import Vocabulary
from .exports import save_result, to_pandas, to_supervision, to_transformers
from .exports.coco_instances import coco_instances
from .exports.coco_panoptic import panoptic_contents
from .segment import Segment, measure_segments

if TYPE_CHECKING:
    from pandas import DataFrame
    from supervision import Detections


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
        ids = np.unique(segment_map[~is_void]).tolist()
        numbers = number_segments(segment_map, ids)
        segments = tuple(
            Segment.of_class(
                i, i % INSTANCE_OFFSET, vocabulary, score=math.nan, area=area, box=box)
            for i, area, box in zip(ids, *measure_segments(numbers, len(ids)), strict=True))
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

    @property
    def masks(self) -> np.ndarray:
        """The mask of each segment, bool, (n, H, W)."""
        ids = np.array([segment.id for segment in self.segments], self.segment_ids.dtype)
        return self.segment_ids == ids[:, None, None]

    def paint(self, values: Sequence[int], void: int) -> np.ndarray:
        """A map, int64, (H, W), with a value for each segment, in their order, and void."""
        numbers = number_segments(self.segment_ids, [segment.id for segment in self.segments])
        return np.array([void, *values], np.int64).take(numbers)

    def plot(self, *, opacity: float = 0.6, labels: bool = True, legend: bool = True,
             min_side: int = 0) -> np.ndarray:
        """Draw the segments over the image, see :func:`mmodise.visualization.draw_panoptic`.

        Args:
            opacity (float): Of the colours of things, 0 to 1. Defaults to 0.6.
            labels (bool): Whether names are written. Defaults to True.
            legend (bool): Whether classes that are too small for their name are listed in a strip
                below the image. Without, the picture has the image's size. Defaults to True.
            min_side (int): What the shorter side is scaled up to, by a whole factor. Defaults to 0,
                nothing.

        Returns:
            ndarray: RGB, uint8, (H or more, W, 3).

        Raises:
            ValueError: If the result has neither an image nor the path of one.
        """
        image, segment_ids = enlarge(self._load_image(), self.segment_ids, min_side)
        return draw_panoptic(
            image, segment_ids, self.segments, opacity=opacity, labels=labels, legend=legend)

    def _load_image(self) -> np.ndarray:
        if self.image is not None:
            return self.image
        if self.path is None:
            raise ValueError(
                'This result knows neither its image nor a path, so there is nothing to draw on. '
                'Give it one: dataclasses.replace(result, image=RGB).')
        return np.ascontiguousarray(read_picture(self.path)[..., ::-1])

    def save(self, path: str | Path, format: str | Path | None = None,
             image_file: str | Path | None = None, *, overwrite: bool = False) -> list[Path]:
        """Write a file, or two, in one of the formats of ``mmodise.apis.FORMATS``.

        - ``'picture'``: the image with the segments (PNG, JPEG, WebP, ...), see :meth:`plot`;
        - ``'coco-panoptic'``: COCO's PNG and JSON;
        - ``'coco-instances'``: COCO's JSON of the things, with run lengths;
        - ``'labelme'``: LabelMe's JSON;
        - ``'semantic'``: a PNG of classes, and a list of them;
        - ``'json'``: all that the result says;
        - ``'csv'``: the segments as a table.

        As before, ``save(PNG, JSON, IMAGE)`` writes COCO's two files, over what is there.

        Args:
            path (str | Path): The file.
            format (str, optional): The format. Defaults to None, told by the ending.
            image_file (str | Path, optional): The name of the image, in the earlier form.
            overwrite (bool): Whether files of another content may be replaced. Defaults to False.

        Returns:
            list[Path]: What was written.

        Raises:
            FileExistsError: If there is a file of another content already.
            OSError: If it cannot be written; what was there is intact.
            ValueError: If the format is not clear, or cannot hold the result.
        """
        if image_file is None:
            return save_result(self, path, format, overwrite)
        png, text = self.encode(Path(path).name, Path(image_file).name)
        backend = WholeFileBackend()
        backend.put(png, path)
        backend.put(text, format)
        return [Path(path), Path(format)]

    def encode(self, png_name: str, image_name: str) -> tuple[bytes, bytes]:
        """Make the content of COCO's panoptic PNG and JSON.

        Args:
            png_name (str): What the PNG will be called; its colours are segment ids,
                R + 256 G + 65536 B.
            image_name (str): What the image is called.
        """
        return panoptic_contents(self, png_name, image_name)

    def to_coco(self, image_name: str | None = None) -> dict:
        """COCO's instances: ``images``, ``annotations`` with run lengths, and ``categories``."""
        return coco_instances(self, image_name or Path(self.path or '').name)

    def to_transformers(self) -> dict:
        """Hugging Face's dictionary, see :func:`mmodise.apis.exports.to_transformers`."""
        return to_transformers(self)

    def to_supervision(self) -> Detections:
        """Make supervision's ``Detections``, see :func:`mmodise.apis.exports.to_supervision`."""
        return to_supervision(self)

    def to_pandas(self) -> DataFrame:
        """A table with a row per segment, see :func:`mmodise.apis.exports.to_pandas`."""
        return to_pandas(self)


def _describe(segment: Segment) -> dict:
    left, top, right, bottom = segment.box
    return dict(
        id=segment.id,
        category_id=segment.label + 1,
        isthing=int(segment.is_thing),
        area=segment.area,
        bbox=[left, top, right - left, bottom - top],
        iscrowd=0)
