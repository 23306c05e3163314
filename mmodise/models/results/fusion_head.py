"""Panoptic, instance and semantic results for a vocabulary known only at test time."""

import torch
import torch.nn.functional as F
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmdet.models.seg_heads.panoptic_fusion_heads import MaskFormerFusionHead
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from torch import Tensor

from ...utils.spelling import refuse_misspelt
from ...vocabulary import Vocabulary
from .banded_results import BandedInstances, BandedPanoptic, BandedSemantic
from .full_size_masks import FullSizeMasks


@MODELS.register_module()
class OpenVocabularyFusionHead(MaskFormerFusionHead):
    """MaskFormer's fusion head, image by image with the image's own vocabulary.

    Masks are never at full size as a whole: results come together from bands of rows, the same ones
    whatever the bands are.

    Args:
        test_cfg (dict): ``panoptic_on``, ``instance_on``, ``semantic_on``, ``object_mask_thr``
            (score that a mask must exceed), ``iou_thr`` (share of its own area that a segment must
            keep), ``filter_low_score`` (segments end where their mask is under 0.5),
            ``max_per_image`` (instances) and ``max_result_bytes`` (memory for making the results of
            an image, which themselves come on top; defaults to 32 MiB on the CPU, where more is
            slower, and to 256 MiB elsewhere).
        init_cfg (dict, optional): As in :class:`mmengine.model.BaseModule`.

    Raises:
        ValueError: If a key of ``test_cfg`` is misspelt.
    """

    def __init__(self, test_cfg=None, init_cfg=None) -> None:
        refuse_misspelt('test_cfg', test_cfg or (), (
            'panoptic_on', 'instance_on', 'semantic_on', 'object_mask_thr', 'iou_thr',
            'filter_low_score', 'max_per_image', 'max_result_bytes'))
        super().__init__(test_cfg=test_cfg, init_cfg=init_cfg)

    def predict(
        self,
        mask_cls_results: list[Tensor],
        mask_pred_results: Tensor,
        batch_data_samples: SampleList,
        vocabularies: list[Vocabulary],
        rescale: bool = True,
    ) -> list[dict]:
        """Results of a batch.

        Args:
            mask_cls_results (list[Tensor]): Class logits, an image each, (Q, K + 1).
            mask_pred_results (Tensor): Mask logits, (B, Q, H / 4, W / 4).
            batch_data_samples (SampleList): With ``batch_input_shape``, ``img_shape`` and
                ``ori_shape``.
            vocabularies (list[Vocabulary]): One an image.
            rescale (bool): Whether results are of the original size. Defaults to True.

        Returns:
            list[dict]: An image each, what ``test_cfg`` asks for: ``pan_results`` (void is the
            largest number of classes in the batch, which is its ``ignore_index``),
            ``ins_results``, and ``sem_results`` with the class of each pixel, (1, H, W).
        """
        self.check_size(vocabularies)
        void = max(len(vocabulary) for vocabulary in vocabularies)
        images = zip(
            mask_cls_results, mask_pred_results, batch_data_samples, vocabularies, strict=True)
        return [
            self._predict_single(
                scores, FullSizeMasks(masks, sample.metainfo, rescale), vocabulary, void)
            for scores, masks, sample, vocabulary in images
        ]

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

    def _predict_single(
        self, mask_cls: Tensor, masks: FullSizeMasks, vocabulary: Vocabulary, void: int
    ) -> dict:
        """Results of an image, from class logits (Q, K + 1) and Q masks."""
        cfg = self.test_cfg
        max_bytes = cfg.get('max_result_bytes') or (
            2**25 if mask_cls.device.type == 'cpu' else 2**28)
        classes = F.softmax(mask_cls.float(), dim=-1)
        results = {}
        if cfg.get('panoptic_on', True):
            results['pan_results'] = BandedPanoptic(
                classes, vocabulary, masks.size, void, threshold=cfg.get('object_mask_thr', 0.8),
                kept_share=cfg.get('iou_thr', 0.8), cut_low=cfg.get('filter_low_score', False))
        if cfg.get('instance_on', False):
            results['ins_results'] = BandedInstances(
                classes, vocabulary.num_things, masks.size, cfg.get('max_per_image', 100))
        if cfg.get('semantic_on', False):
            results['sem_results'] = BandedSemantic(classes, masks.size, max_bytes // 4)
        if results:
            self._fill(list(results.values()), masks, max_bytes * 3 // 4)
        return {name: result.finish() for name, result in results.items()}

    @staticmethod
    def _fill(results: list, masks: FullSizeMasks, max_bytes: int) -> None:
        """Give all bands to the results, with the masks that any of them needs."""
        needed = torch.cat([result.queries for result in results]).unique()
        for result in results:
            result.queries = torch.searchsorted(needed, result.queries)
        # a matrix product is not to be rounded to half precision
        with torch.autocast(needed.device.type, enabled=False):
            for rows in masks.bands(max_bytes, len(needed)):
                logits = masks.rows(rows, needed)
                inside, probabilities = logits > 0, logits.sigmoid_()
                for result in results:
                    result.add(rows, inside, probabilities)
