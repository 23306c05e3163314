"""What all classifiers share that compare masks with names as CLIP embeds both."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.utils import ConfigType
from torch import Tensor

from ...vocabulary import Vocabulary
from ..clip import FrozenCLIP, Prompt, read_prompt
from ..text_similarity import class_scores
from .mask_classifier import MaskClassifier


class CLIPMaskClassifier(MaskClassifier):
    """Base of the classifiers that embed masks with a frozen CLIP, and names with the same.

    Args:
        clip (dict): Config of a :class:`FrozenCLIP`.
        prompt (str | Sequence[str]): What a name is put into: a template, several whose embeddings
            are averaged, or the name of a list, see :func:`read_prompt`.

    Raises:
        ValueError: If ``prompt`` is no template.
    """

    def __init__(self, clip: ConfigType, prompt: str | Sequence[str]) -> None:
        super().__init__()
        self.clip: FrozenCLIP = MODELS.build(clip)
        self.prompt: Prompt = read_prompt(prompt)

    def name_encoders(self) -> list[tuple[FrozenCLIP, Prompt]]:
        """CLIP and the prompt."""
        return [(self.clip, self.prompt)]

    def classify(self, embeddings: Tensor, vocabulary: Vocabulary) -> Tensor:
        """CLIP's logits of mask embeddings (Q, D) for a vocabulary of K classes, (Q, K)."""
        names = self.clip.encode_names(vocabulary, self.prompt)
        return class_scores(embeddings, names, vocabulary.class_indices, self.clip.logit_scale)


def resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Resize maps (N, H, W), of which there may be none, bilinearly and not antialiased."""
    maps = F.interpolate(maps[:, None], tuple(size), mode='bilinear', align_corners=False)
    return maps[:, 0]
