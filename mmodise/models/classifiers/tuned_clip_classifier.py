"""CLIP, tuned on true masks to classify masks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.utils import reduce_mean
from torch import Tensor, nn

from ...vocabulary import Vocabulary
from ..clip import FrozenCLIP, Prompt, TunedTower
from ..heads.mask_source import MaskTargets
from ..int8 import is_quantized
from ..text_similarity import best_of_classes
from .clip_classifier import CLIPClassifier

#: Mask logit of a true mask: a probability of exactly 1 inside, and of 0 with a minus outside.
TRUE_MASK_LOGIT = 1e3


@MODELS.register_module()
class TunedCLIPClassifier(CLIPClassifier):
    """CLIP that learns from true masks what masks show, whoever makes them (MaskCLIP++).

    Trained are weights of the image tower, see :class:`TunedTower`, and one map from the
    similarities of a mask and a name, one per template, to a logit. The map is the same for all
    names, so that it prefers none. The text tower and all other weights stay frozen CLIP's, shared
    with whoever uses it; a checkpoint holds the trained ones.

    The loss is the cross entropy over the training vocabulary, of which one name per class is drawn
    each time; the mean over images of the mean over the classes in it of the mean over their masks.
    Masks that are too small to show in any patch are left out.

    Args:
        align_masks (bool): As for :class:`CLIPClassifier`, as all others. Defaults to True.
        soft_masks (bool): Defaults to True.
        last_blocks (int, optional): Defaults to 3.
        **kwargs: As for :class:`CLIPClassifier`.
    """

    trains = True
    learns_from_truth = True

    def __init__(
        self, *args, align_masks: bool = True, soft_masks: bool = True,
        last_blocks: int | None = 3, **kwargs,
    ) -> None:
        super().__init__(
            *args, align_masks=align_masks, soft_masks=soft_masks, last_blocks=last_blocks,
            **kwargs)
        soft_blocks = (last_blocks or self.clip.num_blocks) if soft_masks else 0
        self.tuned = TunedTower(self.clip.frozen.model.visual, soft_blocks)
        self.templates = (self.prompt, ) if isinstance(self.prompt, str) else self.prompt
        self.similarity = nn.Linear(len(self.templates), 1, bias=False)
        nn.init.constant_(self.similarity.weight, 1 / len(self.templates))  # plain CLIP

    def train(self, mode: bool = True) -> TunedCLIPClassifier:
        """As the parent's.

        Raises:
            ValueError: If gradients are to pass a CLIP in int8.
        """
        weights = self.parameters()
        if (mode and any(weight.requires_grad for weight in weights)
                and is_quantized(self.clip.frozen.model)):
            raise ValueError(
                "TunedCLIPClassifier: model.classifier.clip.precision='int8' passes no gradients. "
                "Train with 'fp32' or 'bf16', and test in int8.")
        return super().train(mode)

    def name_encoders(self) -> list[tuple[FrozenCLIP, Prompt]]:
        """CLIP and each template: none is averaged with others."""
        return [(self.clip, template) for template in self.templates]

    def classify(self, embeddings: Tensor, vocabulary: Vocabulary) -> Tensor:
        """Logits of mask embeddings (Q, D) for a vocabulary of K classes, (Q, K)."""
        return best_of_classes(self.name_logits(embeddings, vocabulary), vocabulary.class_indices)

    def name_logits(self, embeddings: Tensor, vocabulary: Vocabulary) -> Tensor:
        """Logits of mask embeddings (Q, D) for the N names of a vocabulary, (Q, N), in float32."""
        names = torch.stack([
            self.clip.encode_names(vocabulary, template) for template in self.templates], dim=1)
        with torch.autocast(embeddings.device.type, enabled=False):
            masks = F.normalize(embeddings.float(), dim=-1)
            names = F.normalize(names.float(), dim=-1)  # (N, T, D)
            cosine = torch.einsum('qd,ntd->qnt', masks, names)
            return self.similarity(self.clip.logit_scale.float() * cosine).squeeze(-1)

    def loss(
        self,
        images: Tensor,
        features: tuple[Tensor, ...],
        batch_data_samples: SampleList,
        targets: MaskTargets,
    ) -> dict[str, Tensor]:
        """Compute the loss on true masks, and the share of them that is named right, in percent.

        Args:
            images (Tensor): RGB in [0, 1], padded, (B, 3, H, W).
            features (tuple[Tensor, ...]): Not read.
            batch_data_samples (SampleList): B samples.
            targets (MaskTargets): Of which only true masks and the vocabulary are read.
        """
        truths = [TRUE_MASK_LOGIT * (2 * gt.masks.float() - 1) for gt in targets.instances]
        patches = self.patches_of(images, truths, batch_data_samples)
        shown = [masks.flatten(1).any(dim=1) for masks in patches]
        patches = [masks[is_shown] for masks, is_shown in zip(patches, shown, strict=True)]
        labels = [gt.labels[is_shown]
                  for gt, is_shown in zip(targets.instances, shown, strict=True)]
        embeddings = torch.cat(
            self.embed_patches(self.squares_of(images, batch_data_samples), patches))
        logits = self.name_logits(embeddings, targets.vocabulary)[:, draw_names(targets.vocabulary)]
        weights, truth = torch.cat([*map(balance, labels)]), torch.cat(labels)
        num_images = reduce_mean(weights.sum()).clamp(min=1)
        loss = (weights * F.cross_entropy(logits, truth, reduction='none')).sum() / num_images
        if not len(truth):  # gradients of 0: processes that have masks wait for them
            loss = loss + 0 * sum(weight.sum() for weight in self.parameters())
        hits = (logits.argmax(dim=1) == truth).float()
        return dict(loss_masks=loss, acc_masks=100 * hits.sum() / max(len(hits), 1))


def draw_names(vocabulary: Vocabulary) -> list[int]:
    """The place of one name of each class, drawn at random."""
    order = torch.randperm(len(vocabulary.names), device='cpu').tolist()
    drawn = {vocabulary.class_indices[place]: place for place in order}
    return [drawn[label] for label in range(len(vocabulary))]


def balance(labels: Tensor) -> Tensor:
    """Weights of the masks of an image that make all of its classes count alike, with sum 1.

    Args:
        labels (Tensor): The class of each mask, (N,).
    """
    _, places, counts = labels.unique(return_inverse=True, return_counts=True)
    return 1 / (counts[places] * len(counts)) if len(labels) else labels.float()
