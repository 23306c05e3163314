"""COCO's evaluation of instances for data sets in which not every class is annotated everywhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping

import numpy as np
from mmdet.datasets.api_wrappers import COCO, COCOeval


class FederatedEvaluation(COCOeval):
    """Average precision by the federated rule of LVIS (Gupta et al., CVPR 2019).

    - A class is judged in an image only where it is annotated, or verified as absent.
    - Where it may be annotated incompletely, what is found beyond the annotations is ignored.
    - Of each image the detections of highest score count, whatever their classes.

    Args:
        truth (COCO): Annotations.
        detections (COCO): Detections, with ``score``.
        kind (str): 'segm' or 'bbox'.
        absent (Mapping[Hashable, Collection]): Category ids that are verified as absent, by image
            id.
        incomplete (Mapping[Hashable, Collection]): Category ids that may be annotated
            incompletely, by image id.
        max_detections (int): Per image. Defaults to 300, as LVIS has it.
    """

    def __init__(
        self,
        truth: COCO,
        detections: COCO,
        kind: str,
        absent: Mapping[Hashable, Collection],
        incomplete: Mapping[Hashable, Collection],
        max_detections: int = 300,
    ) -> None:
        super().__init__(truth, detections, kind)
        self.params.maxDets = [max_detections]
        self._absent, self._incomplete = absent, incomplete

    def _prepare(self) -> None:
        super()._prepare()
        by_image = defaultdict(list)
        for detections in self._dts.values():
            for detection in detections:
                by_image[detection['image_id']].append(detection)
        self._dts = defaultdict(list)
        for image_id, detections in by_image.items():
            detections.sort(key=lambda detection: (-detection['score'], detection['id']))
            absent = set(self._absent.get(image_id, ()))
            for detection in detections[:self.params.maxDets[-1]]:
                key = image_id, detection['category_id']
                if self._gts.get(key) or detection['category_id'] in absent:
                    self._dts[key].append(detection)

    def computeIoU(self, imgId: Hashable, catId: Hashable) -> np.ndarray | list:
        """As the parent's; most pairs of an image and a class have nothing."""
        key = imgId, catId
        return super().computeIoU(*key) if key in self._gts or key in self._dts else []

    def evaluateImg(
        self, imgId: Hashable, catId: Hashable, aRng: list, maxDet: int
    ) -> dict | None:
        """As the parent's, without what is found beyond incomplete annotations."""
        if (imgId, catId) not in self._gts and (imgId, catId) not in self._dts:
            return None
        found = super().evaluateImg(imgId, catId, aRng, maxDet)
        if found is not None and catId in self._incomplete.get(imgId, ()):
            found['dtIgnore'] |= found['dtMatches'] == 0
        return found


def average_precision(
    evaluation: COCOeval,
    category_ids: Collection | None = None,
    iou: float | None = None,
    area: str = 'all',
) -> float:
    """Mean average precision, from 0 to 1; nan if nothing of the classes is annotated.

    Args:
        evaluation (COCOeval): Whose precision was computed.
        category_ids (Collection, optional): Of the classes. Defaults to None, all.
        iou (float, optional): A threshold. Defaults to None, the mean over all.
        area (str): 'all', 'small', 'medium' or 'large'. Defaults to 'all'.
    """
    params = evaluation.params
    precision = evaluation.eval['precision'][..., params.areaRngLbl.index(area), -1]
    if iou is not None:
        precision = precision[np.isclose(params.iouThrs, iou)]
    if category_ids is not None:
        precision = precision[..., np.isin(params.catIds, list(category_ids))]
    precision = precision[precision > -1]
    return float(precision.mean()) if precision.size else float('nan')
