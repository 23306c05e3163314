"""Panoptic annotations of an image, read through the one reader."""

import numpy as np
from mmdet.datasets import transforms
from mmdet.registry import TRANSFORMS
from mmdet.structures.mask import BitmapMasks

from ..panoptic.findings import Findings
from ..panoptic.labels import FILL, label_dtype, swap_fill
from ..panoptic.orientation import check_orientation
from ..panoptic.segments import Segments, compare_box, read_segments


@TRANSFORMS.register_module(force=True)  # old configs gain, too
class LoadPanopticAnnotations(transforms.LoadPanopticAnnotations):
    """mmdet's transform of this name, with what it takes on trust checked.

    It differs in this:

    - The map may be of other kinds, see :func:`read_map`; it is of the image's size, or refused.
    - Segments without a pixel are left out, and so are pixels that no segment is listed for; both
      are told once.
    - Boxes are those of the pixels.
    - ``gt_seg_map`` is of uint8, as mmdet's documentation says; of int32 if there are more than 255
      classes. Void is 255 in the pipeline, as mmdet's steps fill with it; then the class of label
      255 has another number until :class:`CheckedPanopticDataset` gives the sample away.

    Raises:
        MapError: If the map cannot be used; names it.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._told: set[str] = set()

    def transform(self, results: dict) -> dict:
        """Add boxes, labels, masks and the map of classes, as far as they are asked for."""
        if results.get('seg_map_path') is not None:
            self._read(results)
        if self.with_bbox:
            self._load_bboxes(results)
        if self.with_label:
            self._load_labels(results)
        return results

    def _read(self, results: dict) -> None:
        findings = Findings(results['seg_map_path'])
        shape = results.get('ori_shape')
        left_out = [dict(id=i) for i in results.get('left_out_segments', ())]
        segments = read_segments(
            results['seg_map_path'], [*results['segments_info'], *left_out], findings, shape,
            results.get('img_path', ''), self.backend_args)
        if left_out:
            segments = segments.keep(
                [place for place, info in enumerate(segments.infos) if 'category' in info])
        if shape is not None and 'img_path' in results:
            check_orientation(results['img_path'], shape, findings)
        things = [place for place, info in enumerate(segments.infos) if info['is_thing']]
        masks = segments.masks(things)
        results['instances'] = _fit_instances(results, segments, things, findings)
        if self.with_mask:
            results['gt_masks'] = BitmapMasks(masks, *segments.shape)
        if self.with_seg:
            results['gt_seg_map'] = _paint(segments, results.get('void_label'))
        findings.tell(self._told)


@TRANSFORMS.register_module()
class LoadPanopticIfAny(LoadPanopticAnnotations):
    """As :class:`LoadPanopticAnnotations`; an image without an annotation map has empty ones.

    Added key: ``has_masks``, False where ``seg_map_path`` is None. ``gt_masks`` are none then, and
    ``gt_seg_map`` is void (255) everywhere, so that such images and others go into one batch.
    ``PackDetInputs`` must list ``has_masks`` in ``meta_keys``.
    """

    def transform(self, results: dict) -> dict:
        """Add the annotations, and whether there are any."""
        results = super().transform(results)
        results['has_masks'] = results['seg_map_path'] is not None
        if not results['has_masks']:
            height, width = results['ori_shape']
            results['gt_masks'] = BitmapMasks([], height, width)
            dtype = label_dtype(results.get('void_label', FILL))
            results['gt_seg_map'] = np.full((height, width), FILL, dtype)
        return results


def _paint(segments: Segments, void: int | None) -> np.ndarray:
    labels = [info['category'] for info in segments.infos]
    if void is None and max(labels, default=0) >= FILL:
        raise ValueError(
            f'The data set has a label {max(labels)}, and {FILL} means void in its maps. Use '
            'CheckedPanopticDataset, which keeps them apart.')
    void = void or FILL
    labels = swap_fill(np.array(labels, dtype=int), void)
    return segments.paint(labels, FILL, label_dtype(void))


def _fit_instances(
    results: dict, segments: Segments, things: list[int], findings: Findings
) -> list[dict]:
    """The instances that have pixels, with boxes around these: left, top, right and bottom."""
    ids = [info['id'] for info in results['segments_info'] if info['is_thing']]
    instances = dict(zip(ids, results['instances'], strict=True))
    fitted, boxes = [], segments.boxes()
    for place in things:
        segment_id, box = segments.infos[place]['id'], boxes[place]
        said = instances[segment_id].get('bbox')
        if said is not None:
            compare_box(segment_id, said, box, findings)
        fitted.append({**instances[segment_id], 'bbox': box})
    return fitted
