"""What average precision is made of, found image by image, so that no mask outlives its image."""

from __future__ import annotations

import copy
import io
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass

import numpy as np
from pycocotools.cocoeval import COCOeval


@dataclass(frozen=True, eq=False)
class ImageMatches:
    """COCO's evaluation of one image, in a few bytes a detection.

    Args:
        category_ids (list[Hashable]): Of what is annotated or found, C.
        ends (ndarray): Of each category, the ends of its detections and its instances in the
            arrays below, (2, C).
        scores (ndarray): Of detections, (D,), those of a category together, the best first.
        flags (ndarray): Of detections, whether they are matched and whether they are ignored, by
            area and threshold, packed bits, (D, B).
        is_ignored (ndarray): Of instances, whether they are ignored, by area, packed bits, (G, B').
    """

    category_ids: list[Hashable]
    ends: np.ndarray
    scores: np.ndarray
    flags: np.ndarray
    is_ignored: np.ndarray

    @classmethod
    def of(cls, evaluation: COCOeval) -> ImageMatches:
        """Evaluate.

        Args:
            evaluation (COCOeval): Of one image, ``params.imgIds``, and of the categories that are
                annotated or found there, ``params.catIds``.
        """
        with redirect_stdout(io.StringIO()):  # it prints how long it took
            evaluation.evaluate()
        params = evaluation.params
        category_ids, areas = _category_ids(params), len(params.areaRng)
        rows = [evaluation.evalImgs[start:start + areas]
                for start in range(0, len(evaluation.evalImgs), areas)]
        found = [(key, row) for key, row in zip(category_ids, rows, strict=True)
                 if row[0] is not None]
        shape = 0, 2, areas, len(params.iouThrs)
        flags = [np.zeros(shape, bool), *(_flags(row) for _, row in found)]
        is_ignored = [np.zeros((0, areas), bool), *(
            np.stack([entry['gtIgnore'] for entry in row], axis=1).astype(bool)
            for _, row in found)]
        return cls(
            [key for key, _ in found],
            np.cumsum([[len(row[0]['dtIds']), len(row[0]['gtIds'])] for _, row in found], axis=0)
            .reshape(-1, 2).T.astype(np.int32),
            np.array([score for _, row in found for score in row[0]['dtScores']], float),
            _pack(np.concatenate(flags)), _pack(np.concatenate(is_ignored)))

    def entries(self, place: int, areas: int, thresholds: int) -> list[dict]:
        """What ``COCOeval.accumulate`` reads of one of the categories, by area."""
        detections, instances = (
            slice(ends[place - 1] if place else 0, ends[place]) for ends in self.ends)
        scores = self.scores[detections]
        flags = np.unpackbits(self.flags[detections], axis=1, count=2 * areas * thresholds)
        matched, ignored = flags.reshape(len(scores), 2, areas, thresholds).transpose(1, 2, 3, 0)
        is_ignored = np.unpackbits(self.is_ignored[instances], axis=1, count=areas)
        return [dict(dtScores=scores, dtMatches=matched[area], dtIgnore=ignored[area],
                     gtIgnore=is_ignored[:, area]) for area in range(areas)]


def accumulate(evaluation: COCOeval, images: Mapping[Hashable, ImageMatches]) -> None:
    """Compute precision and recall over images, as ``COCOeval.accumulate`` does.

    It goes category by category: most images have few of a long vocabulary.

    Args:
        evaluation (COCOeval): With the parameters that the images were evaluated with, but
            ``catIds``, all categories. Gets ``eval``.
        images (Mapping[Hashable, ImageMatches]): By the images' ids.
    """
    params = evaluation.params
    params.maxDets = sorted(params.maxDets)
    params.catIds = list(np.unique(params.catIds)) if params.useCats else [-1]
    wanted = params.catIds
    where = defaultdict(list)  # equal scores count in the order of images
    for matches in (images[image_id] for image_id in sorted(images)):
        for place, category_id in enumerate(matches.category_ids):
            where[category_id].append((matches, place))
    parts = []
    for category_id in wanted:
        params.catIds = [category_id]
        _accumulate(evaluation, where.pop(category_id, ()))
        parts.append(evaluation.eval)
    params.catIds = wanted
    evaluation.eval = dict(
        params=params, counts=[*parts[0]['counts'][:2], len(wanted), *parts[0]['counts'][3:]],
        **{key: np.concatenate([part[key] for part in parts], axis=axis)
           for key, axis in (('precision', 2), ('recall', 1), ('scores', 2))})


def _accumulate(evaluation: COCOeval, found: Sequence[tuple[ImageMatches, int]]) -> None:
    params = evaluation.params
    sizes = len(params.areaRng), len(params.iouThrs)
    rows = [matches.entries(place, *sizes) for matches, place in found]
    params.imgIds = list(range(len(rows)))
    evaluation.evalImgs = [row[area] for area in range(sizes[0]) for row in rows]
    evaluation._paramsEval = copy.copy(params)
    with redirect_stdout(io.StringIO()):
        evaluation.accumulate()


def _category_ids(params: object) -> list:
    return params.catIds if params.useCats else [-1]


def _flags(row: Sequence[Mapping]) -> np.ndarray:
    """Whether detections of a category are matched and ignored, (D, 2, areas, thresholds)."""
    return np.array([[entry['dtMatches'] != 0 for entry in row],
                     [entry['dtIgnore'] for entry in row]], bool).transpose(3, 0, 1, 2)


def _pack(flags: np.ndarray) -> np.ndarray:
    return np.packbits(flags.reshape(len(flags), int(np.prod(flags.shape[1:]))), axis=1)
