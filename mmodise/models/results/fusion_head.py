"""Panoptic, instance and semantic results for a vocabulary known only at test time."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmdet.models.seg_heads.panoptic_fusion_heads import MaskFormerFusionHead
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, SampleList
from mmengine.structures import PixelData
from torch import Tensor

from ...utils.spelling import refuse_misspelt
from ...vocabulary import Vocabulary
from .banded_results import (
    BandedInstances,
    BandedPanoptic,
    BandedSemantic,
    ResizedSemantic,
    Size,
)
from .full_size_masks import FullSizeMasks
from .segments import BandedSegments, SegmentMap

BandedResult = BandedSegments | BandedInstances | BandedSemantic


@MODELS.register_module()
class OpenVocabularyFusionHead(MaskFormerFusionHead):
    """MaskFormer's fusion head, image by image with the image's own vocabulary.

    Masks are never at full size as a whole: results come together from bands of rows, the same ones
    whatever the bands are.

    Args:
        test_cfg (dict): ``panoptic_on``, ``instance_on``, ``semantic_on``, ``object_mask_thr``
            (score that a mask must exceed), ``iou_thr`` (share of its own area that a segment must
            keep), ``filter_low_score`` (segments end where their mask is under 0.5),
            ``semantic_at_input`` (scores of classes are made at the input's size and then resized,
            as the official releases do where only semantic results are asked for; in memory as a
            whole), ``max_per_image`` (instances) and ``max_result_bytes`` (memory for making the
            results of an image, which themselves come on top; defaults to 32 MiB on the CPU, where
            more is slower, and to 256 MiB elsewhere).
        init_cfg (dict, optional): As in :class:`mmengine.model.BaseModule`.

    Raises:
        ValueError: If a key of ``test_cfg`` is misspelt.
    """

    def __init__(self, test_cfg=None, init_cfg=None) -> None:
        refuse_misspelt('test_cfg', test_cfg or (), (
            'panoptic_on', 'instance_on', 'semantic_on', 'object_mask_thr', 'iou_thr',
            'filter_low_score', 'semantic_at_input', 'max_per_image', 'max_result_bytes',
            'max_queries'))  # the last is the head's
        super().__init__(test_cfg=test_cfg, init_cfg=init_cfg)

    def predict(
        self,
        mask_cls_results: list[Tensor],
        mask_pred_results: Sequence[Tensor],
        batch_data_samples: SampleList,
        vocabularies: list[Vocabulary],
        rescale: bool = True,
    ) -> list[dict]:
        """Results of a batch.

        Args:
            mask_cls_results (list[Tensor]): Class logits per image, (Q, K + 1).
            mask_pred_results (Sequence[Tensor]): Mask logits of the padded images, (Q, h, w) per
                image; a tensor (B, Q, h, w) if all have the same number.
            batch_data_samples (SampleList): With ``batch_input_shape``, ``img_shape`` and
                ``ori_shape``.
            vocabularies (list[Vocabulary]): One per image.
            rescale (bool): Whether results are of the original size. Defaults to True.

        Returns:
            list[dict]: Per image, what ``test_cfg`` asks for: ``pan_results`` (void is the
            largest number of classes in the batch, which is its ``ignore_index``),
            ``ins_results``, and ``sem_results`` with the class of each pixel, (1, H, W).
        """
        self.check_size(vocabularies)
        void = max(len(vocabulary) for vocabulary in vocabularies)
        full_size = [FullSizeMasks(masks, sample.metainfo, rescale) for masks, sample in
                     zip(mask_pred_results, batch_data_samples, strict=True)]
        results = [self._results(scores.float(), masks.size, vocabulary, void)
                   for scores, masks, vocabulary in
                   zip(mask_cls_results, full_size, vocabularies, strict=True)]
        wanted = on_host([result.wanted for image in results for result in image.values()])
        for image, masks in zip(results, full_size, strict=True):
            self._fill([*image.values()], [next(wanted) for _ in image], masks)
            image.update({name: result.finish() for name, result in image.items()})
        if self.test_cfg.get('semantic_on', False) and self._semantic_at_input:
            for image, *inputs in zip(
                    results, mask_cls_results, mask_pred_results, batch_data_samples, strict=True):
                image['sem_results'] = self._resized_semantic(*inputs, rescale)
        return results

    def segment(
        self, mask_cls: Tensor, masks: Tensor, meta: dict, vocabulary: Vocabulary,
        threshold: float | None = None, rescale: bool = True,
    ) -> SegmentMap:
        """The segments of an image alone, without the limits of a panoptic map.

        Args:
            mask_cls (Tensor): Class logits, (Q, K + 1).
            masks (Tensor): Mask logits of the padded image, (Q, h, w).
            meta (dict): With ``batch_input_shape``, ``img_shape`` and ``ori_shape``.
            vocabulary (Vocabulary): K classes.
            threshold (float, optional): In place of ``object_mask_thr``.
            rescale (bool): Whether the map is of the original size. Defaults to True.
        """
        full_size = FullSizeMasks(masks, meta, rescale)
        cfg = self._segment_cfg() | ({} if threshold is None else dict(threshold=threshold))
        result = BandedSegments(
            F.softmax(mask_cls.float(), dim=-1), vocabulary.num_things, full_size.size, **cfg)
        self._fill([result], [*on_host([result.wanted])], full_size)
        return result.finish()

    def check_size(self, vocabularies: list[Vocabulary]) -> None:
        """Refuse vocabularies that a panoptic map cannot hold; other results have no limit.

        Raises:
            ValueError: If panoptic results are asked for, of 1000 classes or more.
        """
        largest = max(len(vocabulary) for vocabulary in vocabularies)
        if self.test_cfg.get('panoptic_on', True) and largest >= INSTANCE_OFFSET:
            raise ValueError(
                f'The vocabulary has {largest} classes. mmdet writes a panoptic map as class + '
                f'{INSTANCE_OFFSET} x instance, with one number for void, so that it holds '
                f'{INSTANCE_OFFSET - 1} classes at most. Split the vocabulary; or ask for instance '
                'and semantic results only, which have no such limit: '
                'model.test_cfg=dict(panoptic_on=False, instance_on=True, semantic_on=True).'
            )

    def _results(
        self, mask_cls: Tensor, size: Size, vocabulary: Vocabulary, void: int
    ) -> dict[str, BandedResult]:
        """The results that are asked for, of an image, from its class logits (Q, K + 1)."""
        cfg = self.test_cfg
        classes = F.softmax(mask_cls, dim=-1)
        results = {}
        if cfg.get('panoptic_on', True):
            results['pan_results'] = BandedPanoptic(
                classes, vocabulary, size, void, **self._segment_cfg())
        if cfg.get('instance_on', False):
            results['ins_results'] = BandedInstances(
                classes, vocabulary.num_things, size, cfg.get('max_per_image', 100))
        if cfg.get('semantic_on', False) and not self._semantic_at_input:
            results['sem_results'] = BandedSemantic(
                classes, size, self._max_bytes(mask_cls.device) // 4)
        return results

    def _resized_semantic(
        self, mask_cls: Tensor, masks: Tensor, sample: DetDataSample, rescale: bool
    ) -> PixelData:
        """The semantic map of an image, whose scores are resized from the input's size."""
        at_input = FullSizeMasks(masks, sample.metainfo, rescale=False)
        result = ResizedSemantic(
            F.softmax(mask_cls.float(), dim=-1), at_input.size,
            self._max_bytes(mask_cls.device) // 4,
            tuple(sample.ori_shape[:2]) if rescale else at_input.size)
        self._fill([result], [*on_host([result.wanted])], at_input)
        return result.finish()

    @property
    def _semantic_at_input(self) -> bool:
        return self.test_cfg.get('semantic_at_input', False)

    def _segment_cfg(self) -> dict:
        return dict(
            threshold=self.test_cfg.get('object_mask_thr', 0.8),
            kept_share=self.test_cfg.get('iou_thr', 0.8),
            cut_low=self.test_cfg.get('filter_low_score', False))

    def _max_bytes(self, device: torch.device) -> int:
        return self.test_cfg.get('max_result_bytes') or (2**25 if device.type == 'cpu' else 2**28)

    def _fill(
        self, results: list[BandedResult], wanted: list[Tensor], masks: FullSizeMasks
    ) -> None:
        """Give all bands to the results, with the masks that any of them wants."""
        if not results:
            return
        device = masks.logits.device
        kept = [(queries >= 0).nonzero()[:, 0] for queries in wanted]
        needed, places = torch.cat(
            [queries[k] for queries, k in zip(wanted, kept, strict=True)]).unique(
                return_inverse=True)
        for result, *chosen in zip(results, kept, places.split([*map(len, kept)]), strict=True):
            result.begin(*(indices.to(device, non_blocking=True) for indices in chosen))
        needed = needed.to(device, non_blocking=True)
        # a matrix product is not to be rounded to half precision
        with torch.autocast(device.type, enabled=False):
            for rows in masks.bands(self._max_bytes(device) * 3 // 4, len(needed)):
                logits = masks.rows(rows, needed)
                inside = logits > 0 if any(result.reads_inside for result in results) else None
                probabilities = logits.sigmoid_()
                for result in results:
                    result.add(rows, inside, probabilities)


def on_host(tensors: list[Tensor]) -> Iterator[Tensor]:
    """Copy int64 vectors to the host, all at once: a GPU is waited for once a batch."""
    if not tensors:
        return iter(())
    return iter(torch.cat(tensors).cpu().split([*map(len, tensors)]))
