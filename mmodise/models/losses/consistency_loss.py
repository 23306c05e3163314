"""The loss that makes predictions agree with themselves."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.utils import reduce_mean
from mmengine.model import BaseModel
from torch import Tensor, nn

from ..heads.layer_output import LayerOutput
from ..heads.mask_source import MaskSource, MaskTargets
from ..heads.open_vocabulary_head import OpenVocabularyHead
from .agreement import divergence, mask_disagreement, symmetric_divergence


@MODELS.register_module()
class ConsistencyLoss(nn.Module):
    r"""Predictions of an object agree across scales and across modalities.

    The switch is ``consistency`` of :class:`ODISE`, with any backbone, :class:`ODISEHead` or
    :class:`ODISECaptionHead`. An object is a query that the last layer's matching gives a true
    mask; the same query is compared in all layers. With p the class distribution over the training
    vocabulary and "no object", m the probabilities of the mask, z the mask embedding, the terms
    are, each averaged over the objects of all ranks:

    ============ ============================================== =================================
    term         of an object                                   gradient
    ============ ============================================== =================================
    layer_mask   mean over layers l < L: dice(m_l, m_L)         to layers l, not to the last
    layer_class  mean over layers l < L: KL(p_L || p_l)         to layers l, not to the last
    view_mask    dice(m, m')                                    to both views
    view_class   JS(p, p')                                      to both views
    clip         T^2 KL(q^(1/T) || p^(1/T)), last layer         to p, not into the classifier
    embedding    1 - cos(z, z*), last layer                     to z, not to z*
    ============ ============================================== =================================

    - dice: see :func:`mask_disagreement`; JS: Jensen-Shannon divergence.
    - m', p' are of a view of the picture, a second forward of it resized and flipped; the masks are
      mapped back. Each view is matched by itself, at random points; the queries of one true mask
      are compared.
    - q is the classifier's distribution over the training vocabulary, such as CLIP's, of the mask
      that the last layer predicts; p and q are then without "no object". Masks that the classifier
      could not look at are left out.
    - z* is the embedding of the same query under its true mask. As z pools under a mask that is cut
      at 0.5, no gradient of this term reaches mask logits; it reaches mask features, query and the
      embedding's layers. True masks that fill half of no cell of the mask features are left out.

    A batch without any match gives 0, with a graph. What has a weight of 0 is not computed, and
    draws no random number.

    Args:
        layer_mask (float): Weight of the term, and so on. Defaults to 1.0 each.
        layer_class (float): Likewise.
        view_mask (float): Likewise.
        view_class (float): Likewise.
        clip (float): Likewise; needs ``model.classifier``.
        embedding (float): Likewise.
        scale (float): Size of the view against the picture. Defaults to 0.5.
        flip (bool): Whether the view is mirrored left to right. Defaults to True.
        size_divisor (int): The view's sides are multiples of it. Defaults to 64.
        temperature (float): T. Defaults to 2.0.

    Raises:
        ValueError: If a weight is negative, or another number is not positive.
    """

    def __init__(
        self,
        layer_mask: float = 1.0,
        layer_class: float = 1.0,
        view_mask: float = 1.0,
        view_class: float = 1.0,
        clip: float = 1.0,
        embedding: float = 1.0,
        scale: float = 0.5,
        flip: bool = True,
        size_divisor: int = 64,
        temperature: float = 2.0,
    ) -> None:
        super().__init__()
        weights = dict(
            layer_mask=layer_mask, layer_class=layer_class, view_mask=view_mask,
            view_class=view_class, clip=clip, embedding=embedding)
        positive = dict(scale=scale, size_divisor=size_divisor, temperature=temperature)
        wrong = {name: value for name, value in weights.items() if value < 0}
        wrong |= {name: value for name, value in positive.items() if value <= 0}
        for name, value in wrong.items():
            raise ValueError(
                f'ConsistencyLoss: {name}={value}, expected a number '
                + ('of at least 0; 0 turns the term off' if name in weights else 'above 0'))
        self.weights = {name: weight for name, weight in weights.items() if weight}
        self.scale, self.flip, self.size_divisor = scale, flip, size_divisor
        self.temperature = temperature

    def check(self, head: MaskSource, classifier: nn.Module | None) -> None:
        """Refuse a model that a term cannot be computed of.

        Raises:
            ValueError: If the head has no decoder layers, or there is no classifier to compare
                with.
        """
        if not isinstance(head, OpenVocabularyHead):
            raise ValueError(
                f'model.consistency: {type(head).__name__} has no decoder layers with mask '
                'embeddings; use ODISEHead or ODISECaptionHead, or leave model.consistency out')
        if 'clip' in self.weights and classifier is None:
            raise ValueError(
                f"model.consistency.clip={self.weights['clip']} compares with the scores of "
                'model.classifier, and there is none: set model.consistency.clip=0, or '
                'model.classifier to a CLIPClassifier')

    def forward(
        self,
        model: BaseModel,
        images: Tensor,
        features: tuple[Tensor, ...],
        batch_data_samples: SampleList,
        targets: MaskTargets,
    ) -> dict[str, Tensor]:
        """Compute the weighted terms, ``loss_consistency_TERM``.

        Args:
            model (BaseModel): The detector: its ``panoptic_head``, ``classifier`` and
                ``extract_feat`` are used.
            images (Tensor): RGB in [0, 1], padded, (B, 3, H, W).
            features (tuple[Tensor, ...]): The maps of these images.
            batch_data_samples (SampleList): B samples.
            targets (MaskTargets): With ``layers``.
        """
        head, on = model.panoptic_head, self.weights.keys()
        last, matches = targets.layers[-1], torch.stack(targets.matches)  # (B, Q)
        objects = (matches >= 0).nonzero(as_tuple=True)  # image and query of N
        logits, terms = None, {}
        if on & {'layer_class', 'view_class', 'clip'}:
            layers = targets.layers if 'layer_class' in on else [last]
            logits = class_logits(head, layers)  # (layers, B, Q, K + 1)
        if 'layer_mask' in on:
            terms['layer_mask'] = layer_mask_disagreement(targets.layers, objects)
        if 'layer_class' in on:
            terms['layer_class'] = layer_class_disagreement(logits[:, objects[0], objects[1]])
        if on & {'view_mask', 'view_class'}:
            terms |= self._compare_views(model, images, batch_data_samples, targets, logits)
        if 'clip' in on:
            terms['clip'] = self._compare_with_classifier(
                model, images, features, batch_data_samples, matches, logits[-1, ..., :-1], last)
        if 'embedding' in on:
            terms['embedding'] = embedding_disagreement(last, targets, objects)
        return {f'loss_consistency_{name}': self.weights[name] * average(values)
                for name, values in terms.items()}

    def _compare_views(
        self, model: BaseModel, images: Tensor, batch_data_samples: SampleList,
        targets: MaskTargets, logits: Tensor | None,
    ) -> dict[str, Tensor]:
        head, last = model.panoptic_head, targets.layers[-1]
        view = head.layers(model.extract_feat(self.view(images), batch_data_samples))[-1]
        masks = self.map_back(view.masks, last.masks.shape[-2:])
        found = torch.stack(head.match(
            view, targets.instances, [sample.metainfo for sample in batch_data_samples], masks))
        matches = torch.stack(targets.matches)
        same = (matches[:, :, None] == found[:, None]) & (matches >= 0)[:, :, None]
        image, query, other = same.nonzero(as_tuple=True)
        terms = {}
        if 'view_mask' in self.weights:
            terms['view_mask'] = mask_disagreement(
                last.masks[image, query].float().sigmoid(), masks[image, other].float().sigmoid())
        if 'view_class' in self.weights:
            terms['view_class'] = symmetric_divergence(
                logits[-1][image, query], class_logits(head, [view])[-1][image, other])
        return terms

    def view(self, images: Tensor) -> Tensor:
        """The pictures at another size, flipped: (B, 3, H', W')."""
        divisor = self.size_divisor
        size = [max(divisor, round(side * self.scale / divisor) * divisor)
                for side in images.shape[-2:]]
        images = F.interpolate(
            images, size, mode='bilinear', align_corners=False, antialias=self.scale < 1)
        return images.flip(-1) if self.flip else images

    def map_back(self, masks: Tensor, size: tuple[int, int]) -> Tensor:
        """Mask logits of the view (B, Q, h', w') as those of the picture, (B, Q, h, w)."""
        masks = masks.flip(-1) if self.flip else masks
        return F.interpolate(masks, tuple(size), mode='bilinear', align_corners=False)

    def _compare_with_classifier(
        self, model: BaseModel, images: Tensor, features: tuple[Tensor, ...],
        batch_data_samples: SampleList, matches: Tensor, logits: Tensor, last: LayerOutput,
    ) -> Tensor:
        is_object = matches >= 0
        ours = logits[is_object] / self.temperature  # (N, K), image by image
        if not len(ours):
            return ours.sum(-1)
        with torch.no_grad():
            masks = [of_image[chosen] for of_image, chosen in
                     zip(last.masks.detach(), is_object, strict=True)]
            scores = model.classifier(
                images, features, masks, batch_data_samples,
                [model.panoptic_head.vocabulary] * len(images))
            theirs = torch.cat([score.logits for score in scores]).float() / self.temperature
            valid = torch.cat([
                score.logits.new_ones(len(score.logits), dtype=torch.bool)
                if score.valid is None else score.valid for score in scores])
        return self.temperature**2 * divergence(theirs[valid], ours[valid])


def class_logits(head: OpenVocabularyHead, layers: Sequence[LayerOutput]) -> Tensor:
    """Logits of the training vocabulary and "no object", float32, (layers, B, Q, K + 1)."""
    embeddings = torch.stack([layer.embeddings for layer in layers])
    scores = torch.stack([layer.scores for layer in layers])
    return head.classify(embeddings, head.vocabulary, scores).float()


def layer_mask_disagreement(
    layers: Sequence[LayerOutput], objects: tuple[Tensor, Tensor]
) -> Tensor:
    """Of the masks of all layers but the last from the last one's, mean over the layers, (N, )."""
    masks = torch.stack([layer.masks[objects] for layer in layers])  # (layers, N, h, w)
    masks = masks.float().sigmoid()
    return _mean_over_layers(mask_disagreement(masks[:-1], masks[-1].detach()))


def layer_class_disagreement(logits: Tensor) -> Tensor:
    """Of the distributions (layers, N, K) from the last layer's, mean over the layers, (N, )."""
    return _mean_over_layers(divergence(logits[-1].detach().expand_as(logits[:-1]), logits[:-1]))


def _mean_over_layers(values: Tensor) -> Tensor:
    """(layers, N) -> (N, ); 0 of no layers."""
    return values.sum(0) / max(len(values), 1)


def embedding_disagreement(
    layer: LayerOutput, targets: MaskTargets, objects: tuple[Tensor, Tensor]
) -> Tensor:
    """1 - cosine of mask embeddings under predicted and under true masks, (N', ).

    Args:
        layer (LayerOutput): What predicts.
        targets (MaskTargets): With true masks and matches.
        objects (tuple[Tensor, Tensor]): Image and query of N objects.
    """
    size = layer.mask_features.shape[-2:]
    truths = []  # of every query the true mask in cells, above 0 where it fills half of one
    for instances, match in zip(targets.instances, targets.matches, strict=True):
        masks = instances.masks[match[match >= 0]].float()
        truth = masks.new_full((len(match), *size), -1.0)
        truth[match >= 0] = F.adaptive_avg_pool2d(masks[:, None], size)[:, 0] - 0.5
        truths.append(truth)
    truths = torch.stack(truths)
    with torch.no_grad():
        under_truth = layer.mask_embedding(layer.queries, truths, layer.mask_features)
    seen = (truths[objects] > 0).any(-1).any(-1)
    ours, true = (embeddings[objects][seen].float()
                  for embeddings in (layer.embeddings, under_truth))
    return 1 - F.cosine_similarity(ours, true, dim=-1)


def average(values: Tensor) -> Tensor:
    """Mean over the objects of all ranks, as DDP's mean over ranks makes it; 0 of none."""
    count = reduce_mean(values.new_tensor(float(len(values))))
    return values.sum() / count.clamp(min=1)
