"""Panoptic, instance and semantic results for a vocabulary known only at test time."""

import torch
import torch.nn.functional as F
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmdet.models.seg_heads.panoptic_fusion_heads import MaskFormerFusionHead
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.structures.mask import mask2bbox
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from ..spelling import refuse_misspelt
from ..vocabulary import Vocabulary


@MODELS.register_module()
class OpenVocabularyFusionHead(MaskFormerFusionHead):
    """MaskFormer's fusion head, image by image with the image's own vocabulary.

    Args:
        test_cfg (dict): ``panoptic_on``, ``instance_on``, ``semantic_on``, ``object_mask_thr``
            (score that a mask must exceed), ``iou_thr`` (share of its own area that a segment must
            keep), ``filter_low_score`` (segments end where their mask is under 0.5) and
            ``max_per_image`` (instances).
        init_cfg (dict, optional): As in :class:`mmengine.model.BaseModule`.

    Raises:
        ValueError: If a key of ``test_cfg`` is misspelt.
    """

    def __init__(self, test_cfg=None, init_cfg=None) -> None:
        refuse_misspelt('test_cfg', test_cfg or (), (
            'panoptic_on', 'instance_on', 'semantic_on', 'object_mask_thr', 'iou_thr',
            'filter_low_score', 'max_per_image'))
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
        results = []
        for scores, masks, sample, vocabulary in zip(
            mask_cls_results, mask_pred_results, batch_data_samples, vocabularies, strict=True
        ):
            self.num_things_classes = vocabulary.num_things
            self.num_stuff_classes = vocabulary.num_stuff
            self.num_classes = len(vocabulary)
            masks = self._full_size(masks, sample.metainfo, rescale)
            result = {}
            if self.test_cfg.get('panoptic_on', True):
                result['pan_results'] = self._panoptic(scores, masks, vocabulary, void)
            if self.test_cfg.get('instance_on', False):
                result['ins_results'] = self.instance_postprocess(scores, masks)
            if self.test_cfg.get('semantic_on', False):
                result['sem_results'] = self.semantic_postprocess(scores, masks)
            results.append(result)
        return results

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

    def semantic_postprocess(self, mask_cls: Tensor, mask_pred: Tensor) -> PixelData:
        """The class of each pixel, (1, H, W): the one with the largest score."""
        return PixelData(sem_seg=self.semantic_scores(mask_cls, mask_pred).argmax(0, keepdim=True))

    def semantic_scores(self, mask_cls: Tensor, mask_pred: Tensor) -> Tensor:
        """Score of each class at each pixel: the sum of class x mask probability, (K, H, W)."""
        classes = F.softmax(mask_cls, dim=-1)[:, :-1]  # (Q, K)
        return torch.einsum('qk,qhw->khw', classes, mask_pred.sigmoid())

    def instance_postprocess(self, mask_cls: Tensor, mask_pred: Tensor) -> InstanceData:
        """The best query-class pairs that are things, as the parent's.

        The parent asks for ``max_per_image`` pairs even where there are fewer.
        """
        classes = F.softmax(mask_cls, dim=-1)[:, :-1]  # (Q, K)
        limit = min(self.test_cfg.get('max_per_image', 100), classes.numel())
        scores, pairs = classes.flatten().topk(limit, sorted=False)
        queries, labels = pairs // self.num_classes, pairs % self.num_classes
        things = labels < self.num_things_classes
        logits = mask_pred[queries[things]]
        masks = logits > 0
        inside = (logits.sigmoid() * masks).sum((1, 2)) / (masks.sum((1, 2)) + 1e-6)
        return InstanceData(
            bboxes=mask2bbox(masks), labels=labels[things], scores=scores[things] * inside,
            masks=masks,
        )

    def _panoptic(
        self, mask_cls: Tensor, mask_pred: Tensor, vocabulary: Vocabulary, void: int
    ) -> PixelData:
        """The parent's panoptic result, with what its readers must know of the vocabulary."""
        result = self.panoptic_postprocess(mask_cls, mask_pred)
        result.sem_seg[result.sem_seg == len(vocabulary)] = void
        if vocabulary.num_things == 0:  # class 0 is stuff: its id 0 is what a PNG writes for void
            result.sem_seg[result.sem_seg == 0] = INSTANCE_OFFSET
        result.set_metainfo(dict(ignore_index=void, label_names=list(vocabulary.class_names)))
        return result

    @staticmethod
    def _full_size(masks: Tensor, meta: dict, rescale: bool) -> Tensor:
        """Mask logits (Q, h, w) of the padded input -> of the image, or of the original."""
        def resize(masks: Tensor, size: tuple[int, int]) -> Tensor:
            return F.interpolate(masks[None], tuple(size), mode='bilinear', align_corners=False)[0]

        height, width = meta['img_shape'][:2]
        masks = resize(masks, meta['batch_input_shape'])[:, :height, :width]
        return resize(masks, meta['ori_shape'][:2]) if rescale else masks
