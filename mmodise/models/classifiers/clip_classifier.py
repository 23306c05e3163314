"""CLIP's opinion on each mask, and how two opinions become one."""

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.utils import ConfigType
from mmengine.model import BaseModule
from torch import Tensor

from ...vocabulary import Vocabulary
from ..text_similarity import class_scores


@MODELS.register_module()
class CLIPClassifier(BaseModule):
    """A second opinion on the class of each mask, by frozen CLIP alone (paper, 3.4).

    Args:
        clip (dict): Config of a :class:`FrozenCLIP`.
        alpha (float): CLIP's share, 0 to 1, in the score of classes seen in training. Defaults to
            0.3 (official release, label supervision).
        beta (float): CLIP's share in the score of classes not seen in training. Defaults to 0.7
            (official release, label supervision).
        prompt (str): What a name is put into. Defaults to 'a photo of a {}.' (official release).
        align_masks (bool): Cut the padding off the masks before they are resized to CLIP's image.
            The official release does not, so that on padded images its masks are slightly out of
            register. Defaults to False.
    """

    def __init__(
        self,
        clip: ConfigType,
        alpha: float = 0.3,
        beta: float = 0.7,
        prompt: str = 'a photo of a {}.',
        align_masks: bool = False,
    ) -> None:
        super().__init__()
        self.clip = MODELS.build(clip)
        self.alpha = alpha
        self.beta = beta
        self.prompt = prompt
        self.align_masks = align_masks

    def forward(
        self,
        images: Tensor,
        mask_logits: Tensor,
        batch_data_samples: SampleList,
        vocabularies: list[Vocabulary],
    ) -> list[Tensor]:
        """CLIP's class logits of masks.

        Args:
            images (Tensor): RGB in [0, 1], padded, (B, 3, H, W).
            mask_logits (Tensor): Of the padded images, (B, Q, H / 4, W / 4).
            batch_data_samples (SampleList): Their ``img_shape`` is the size without padding.
            vocabularies (list[Vocabulary]): One an image.

        Returns:
            list[Tensor]: An image each, (Q, K).
        """
        squares, visible = [], []
        for image, logits, sample in zip(images, mask_logits, batch_data_samples, strict=True):
            height, width = sample.img_shape[:2]
            squares.append(self._resize(image[:, :height, :width]))
            if self.align_masks:
                logits = self._upsample(logits, image.shape[-2:])[:, :height, :width]
            visible.append(self.visible_patches(logits))
        embeddings = self.clip.encode_masks(torch.stack(squares), torch.stack(visible))
        return [self.classify(e, v) for e, v in zip(embeddings, vocabularies, strict=True)]

    def visible_patches(self, mask_logits: Tensor) -> Tensor:
        """Patches of CLIP's image that a mask shows: its largest probability there is 0.5 or more.

        Args:
            mask_logits (Tensor): (Q, h, w).

        Returns:
            Tensor: bool, (Q, rows, columns) of CLIP's patches.
        """
        masks = self._resize(mask_logits.float()).sigmoid()
        return F.max_pool2d(masks, self.clip.patch_size) >= 0.5

    def classify(self, embeddings: Tensor, vocabulary: Vocabulary) -> Tensor:
        """CLIP's logits of mask embeddings (Q, D) for a vocabulary of K classes, (Q, K)."""
        names = self.clip.encode_texts([self.prompt.format(name) for name in vocabulary.names])
        return class_scores(
            embeddings, names, vocabulary.class_indices, self.clip.logit_scale.float())

    def combine(self, head_logits: Tensor, clip_logits: Tensor, seen: tuple[bool, ...]) -> Tensor:
        """One score of two opinions: their weighted geometric mean (paper, equation 7).

        Args:
            head_logits (Tensor): The head's, "no object" last, (Q, K + 1).
            clip_logits (Tensor): CLIP's, (Q, K).
            seen (tuple[bool, ...]): Which of the K classes were seen in training.

        Returns:
            Tensor: Logits (Q, K + 1): their softmax is the probability of each class, and of
            "no object".
        """
        head_logits = head_logits.float()
        classes = F.softmax(self.ensemble(head_logits[..., :-1], clip_logits, seen), dim=-1)
        no_object = F.softmax(head_logits, dim=-1)[..., -1:]
        return torch.log(torch.cat([classes * (1 - no_object), no_object], dim=-1) + 1e-8)

    def ensemble(self, head_logits: Tensor, clip_logits: Tensor, seen: tuple[bool, ...]) -> Tensor:
        """Logarithm of the weighted geometric mean of two opinions on K classes.

        Args:
            head_logits (Tensor): The head's, without "no object", (Q, K).
            clip_logits (Tensor): CLIP's, (Q, K).
            seen (tuple[bool, ...]): Which of the K classes were seen in training.

        Returns:
            Tensor: (Q, K), not normalised.
        """
        weight = torch.tensor([self.alpha if s else self.beta for s in seen])
        weight = weight.to(head_logits.device, non_blocking=True)
        # logarithms throughout: a probability of exactly 0 must not give NaN
        log_head = F.log_softmax(head_logits, dim=-1)
        log_clip = F.log_softmax(clip_logits, dim=-1)
        return (1 - weight) * log_head + weight * log_clip

    def _resize(self, maps: Tensor) -> Tensor:
        """To CLIP's own size, without keeping the aspect ratio, not antialiased."""
        return self._upsample(maps, self.clip.image_size)

    @staticmethod
    def _upsample(maps: Tensor, size: tuple[int, int]) -> Tensor:
        return F.interpolate(maps[None], tuple(size), mode='bilinear', align_corners=False)[0]
