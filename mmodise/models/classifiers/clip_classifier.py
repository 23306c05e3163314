"""Out-of-vocabulary scores of masks by CLIP with a class token per mask."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.utils import ConfigType
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ...vocabulary import Vocabulary
from ..clip import FrozenCLIP, Prompt, read_prompt
from ..text_similarity import class_scores
from .mask_classifier import MaskClassifier, MaskScores


@MODELS.register_module()
class CLIPClassifier(MaskClassifier):
    """Scores masks by frozen CLIP alone (paper, 3.4).

    Args:
        clip (dict): Config of a :class:`FrozenCLIP`.
        prompt (str | Sequence[str]): What a name is put into: a template, several whose embeddings
            are averaged, or the name of a list, see :func:`read_prompt`. Defaults to 'a photo of a
            {}.' (official release).
        align_masks (bool): Cut the padding off the masks before they are resized to CLIP's image.
            The official release does not, so that on padded images its masks are slightly out of
            register. Defaults to False.
        min_coverage (float): Share of one of CLIP's patches that a mask must cover to see it, 0 to
            1. 0: any pixel of it will do (official release), with which small masks see much of
            what is around them. Where no patch is covered so far, the most covered ones are seen.
            Defaults to 0.
        alpha (float, optional): Not read here: :class:`ODISE` gives it to its ensemble, which was
            a part of the classifier once. Defaults to None.
        beta (float, optional): Likewise.

    Raises:
        ValueError: If CLIP's image tower is no vision transformer, or ``min_coverage`` is not
            between 0 and 1, or ``prompt`` is no template.
    """

    def __init__(
        self,
        clip: ConfigType,
        alpha: float | None = None,
        beta: float | None = None,
        prompt: str | Sequence[str] = 'a photo of a {}.',
        align_masks: bool = False,
        min_coverage: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= min_coverage <= 1:
            raise ValueError(
                f'CLIPClassifier: min_coverage={min_coverage!r} is not between 0 and 1.')
        self.clip = MODELS.build(clip)
        _ = self.clip.patch_size  # refuses a CLIP that mask tokens cannot be added to, now
        self.prompt: Prompt = read_prompt(prompt)
        self.align_masks = align_masks
        self.min_coverage = min_coverage

    def embed(
        self,
        images: Tensor,
        features: tuple[Tensor, ...],
        masks: Sequence[Tensor],
        batch_data_samples: SampleList,
    ) -> list[Tensor]:
        """Embed masks; ``features`` are not read, see :meth:`MaskClassifier.forward`."""
        squares, visible = [], []
        for image, logits, sample in zip(images, masks, batch_data_samples, strict=True):
            height, width = sample.img_shape[:2]
            squares.append(self._resize(image[:, :height, :width]))
            if self.align_masks:
                logits = self._upsample(logits, image.shape[-2:])[:, :height, :width]
            visible.append(self.visible_patches(logits))
        embeddings = self.clip.encode_masks(
            torch.stack(squares), pad_sequence(visible, batch_first=True))
        return [embedded[:len(patches)]
                for embedded, patches in zip(embeddings, visible, strict=True)]

    def score(self, embeddings: Sequence[Tensor], vocabularies: list[Vocabulary]
              ) -> list[MaskScores]:
        """Score what :meth:`embed` gave, see :meth:`classify`."""
        return [MaskScores(self.classify(*image))
                for image in zip(embeddings, vocabularies, strict=True)]

    def name_encoders(self) -> list[tuple[FrozenCLIP, Prompt]]:
        """CLIP and the prompt."""
        return [(self.clip, self.prompt)]

    def visible_patches(self, mask_logits: Tensor) -> Tensor:
        """Patches of CLIP's image that a mask shows.

        Its probability is 0.5 or more in one pixel there, or in a share ``min_coverage`` of them.

        Args:
            mask_logits (Tensor): (Q, h, w).

        Returns:
            Tensor: bool, (Q, rows, columns) of CLIP's patches.
        """
        masks = self._resize(mask_logits.float()).sigmoid()
        if not self.min_coverage:
            return F.max_pool2d(masks[:, None], self.clip.patch_size)[:, 0] >= 0.5
        shares = F.avg_pool2d((masks >= 0.5).float()[:, None], self.clip.patch_size)[:, 0]
        most = shares.amax((1, 2), keepdim=True)
        return (shares > 0) & (shares >= most.clamp(max=self.min_coverage))

    def classify(self, embeddings: Tensor, vocabulary: Vocabulary) -> Tensor:
        """CLIP's logits of mask embeddings (Q, D) for a vocabulary of K classes, (Q, K)."""
        names = self.clip.encode_names(vocabulary, self.prompt)
        return class_scores(embeddings, names, vocabulary.class_indices, self.clip.logit_scale)

    def _resize(self, maps: Tensor) -> Tensor:
        """To CLIP's own size, without keeping the aspect ratio, not antialiased."""
        return self._upsample(maps, self.clip.image_size)

    @staticmethod
    def _upsample(maps: Tensor, size: tuple[int, int]) -> Tensor:
        # maps as a batch, which may be empty
        maps = F.interpolate(maps[:, None], tuple(size), mode='bilinear', align_corners=False)
        return maps[:, 0]
