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
from ..clip import TunedTower
from .clip_mask_classifier import CLIPMaskClassifier, resize
from .mask_classifier import MaskScores


@MODELS.register_module()
class CLIPClassifier(CLIPMaskClassifier):
    """Scores masks by frozen CLIP alone (paper, 3.4).

    A mask is embedded by a class token of its own in CLIP's image tower, which sees only patches of
    the mask.

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
        soft_masks (bool): Show CLIP how much of each patch is in the mask, instead of which patches
            are, see :func:`visibility` (MaskCLIP++). Defaults to False.
        last_blocks (int, optional): Blocks of CLIP's image tower in which masks count, the last
            ones (MaskCLIP++: 3). Defaults to None, all (official release).
        alpha (float, optional): Not read here: :class:`ODISE` gives it to its ensemble, which was
            a part of the classifier once. Defaults to None.
        beta (float, optional): Likewise.

    Raises:
        ValueError: If CLIP's image tower is no vision transformer, or has fewer blocks than
            ``last_blocks``; or ``min_coverage`` is not between 0 and 1, or goes with soft masks, or
            ``prompt`` is no template.
    """

    def __init__(
        self,
        clip: ConfigType,
        alpha: float | None = None,
        beta: float | None = None,
        prompt: str | Sequence[str] = 'a photo of a {}.',
        align_masks: bool = False,
        min_coverage: float = 0.0,
        soft_masks: bool = False,
        last_blocks: int | None = None,
    ) -> None:
        if not 0 <= min_coverage <= 1:
            raise ValueError(
                f'CLIPClassifier: min_coverage={min_coverage!r} is not between 0 and 1.')
        if soft_masks and min_coverage:
            raise ValueError(
                f'CLIPClassifier: min_coverage={min_coverage!r} says which patches a mask shows, '
                'soft_masks=True how much of each. Leave one of them out.')
        super().__init__(clip, prompt)
        num_blocks = self.clip.num_blocks  # refuses a CLIP that mask tokens cannot be added to, now
        if last_blocks is not None and not 1 <= last_blocks <= num_blocks:
            raise ValueError(
                f'CLIPClassifier: last_blocks={last_blocks!r}, and the image tower has '
                f'{num_blocks} blocks. Expected 1 to {num_blocks}, or None for all.')
        self.align_masks = align_masks
        self.min_coverage = min_coverage
        self.soft_masks = soft_masks
        self.last_blocks = last_blocks
        self.tuned: TunedTower | None = None  # a subclass may train some of the weights

    def embed(
        self,
        images: Tensor,
        features: tuple[Tensor, ...],
        masks: Sequence[Tensor],
        batch_data_samples: SampleList,
    ) -> list[Tensor]:
        """Embed masks; ``features`` are not read, see :meth:`MaskClassifier.forward`."""
        squares = self.squares_of(images, batch_data_samples)
        return self.embed_patches(squares, self.patches_of(images, masks, batch_data_samples))

    def squares_of(self, images: Tensor, batch_data_samples: SampleList) -> Tensor:
        """Images without their padding, at CLIP's own size."""
        return torch.stack([
            self._resize(image[:, :sample.img_shape[0], :sample.img_shape[1]])
            for image, sample in zip(images, batch_data_samples, strict=True)])

    def patches_of(
        self, images: Tensor, masks: Sequence[Tensor], batch_data_samples: SampleList
    ) -> list[Tensor]:
        """Patches of CLIP's image that masks show, or how much of them: (Q, rows, columns) each."""
        look = self.soft_patches if self.soft_masks else self.visible_patches
        patches = []
        for logits, sample in zip(masks, batch_data_samples, strict=True):
            if self.align_masks:
                height, width = sample.img_shape[:2]
                logits = resize(logits, images.shape[-2:])[:, :height, :width]
            patches.append(look(logits))
        return patches

    def embed_patches(self, squares: Tensor, patches: Sequence[Tensor]) -> list[Tensor]:
        """Embed what :meth:`squares_of` and :meth:`patches_of` give: (Q, D) per image."""
        embeddings = self.clip.encode_masks(
            squares, pad_sequence(patches, batch_first=True), self.last_blocks, self.tuned)
        return [embedded[:len(shown)]
                for embedded, shown in zip(embeddings, patches, strict=True)]

    def score(self, embeddings: Sequence[Tensor], vocabularies: list[Vocabulary]
              ) -> list[MaskScores]:
        """Score what :meth:`embed` gave, see :meth:`classify`."""
        return [MaskScores(self.classify(*image))
                for image in zip(embeddings, vocabularies, strict=True)]

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

    def soft_patches(self, mask_logits: Tensor) -> Tensor:
        """How much of a mask is in each patch of CLIP's image.

        Its probabilities, resized twice, to the image and to the patches (MaskCLIP++).

        Args:
            mask_logits (Tensor): (Q, h, w).

        Returns:
            Tensor: From 0 to 1, (Q, rows, columns) of CLIP's patches.
        """
        masks = self._resize(mask_logits.float().sigmoid())
        return resize(masks, [
            side // patch for side, patch in
            zip(self.clip.image_size, self.clip.patch_size, strict=True)])

    def _resize(self, maps: Tensor) -> Tensor:
        """To CLIP's own size, without keeping the aspect ratio."""
        return resize(maps, self.clip.image_size)
