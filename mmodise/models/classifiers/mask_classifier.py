"""What the detector asks of a classifier of masks."""

from collections.abc import Sequence
from typing import NamedTuple

from mmdet.structures import SampleList
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...vocabulary import Vocabulary
from ..clip import FrozenCLIP, Prompt
from ..heads.mask_source import MaskTargets


class MaskScores(NamedTuple):
    """Out-of-vocabulary scores of the masks of an image.

    ``logits`` are those of K classes, without "no object", (Q, K). ``valid``, bool (Q,), is False
    for a mask that the classifier could not look at, such as one that covers no cell of its feature
    map; None if it could look at all.
    """

    logits: Tensor
    valid: Tensor | None = None


class MaskClassifier(BaseModule):
    """Base of the classifiers: images, features, masks and names -> out-of-vocabulary scores.

    An ensemble combines them with the in-vocabulary scores of the mask source, see
    :class:`GeometricEnsemble`. It implements one of two:

    - :meth:`forward`, images and names at once, which is called for every vocabulary.
    - :meth:`embed` and :meth:`score`: what is known of the masks before the names is computed once
      per image, however many vocabularies are asked for.

    A classifier that is trained sets ``trains`` and overrides :meth:`loss`; any other is used in
    testing only. One that learns from true masks, whatever masks are predicted, sets
    ``learns_from_truth`` as well, and can be trained alone (``train_classifier_only`` of
    :class:`ODISE`).
    """

    #: Whether :meth:`loss` is called in training.
    trains: bool = False
    #: Whether :meth:`loss` reads images and true masks alone: neither maps nor predictions.
    learns_from_truth: bool = False

    @property
    def embeds_without_names(self) -> bool:
        """Whether :meth:`embed` and :meth:`score` do what :meth:`forward` does."""
        return type(self).forward is MaskClassifier.forward

    def connect(self, backbone: nn.Module, neck: nn.Module | None) -> None:
        """Be told what makes the ``features``; called once, when all parts are built.

        Args:
            backbone (Module): The detector's.
            neck (Module, optional): The detector's; None if it has none.
        """

    def embed(
        self,
        images: Tensor,
        features: tuple[Tensor, ...],
        masks: Sequence[Tensor],
        batch_data_samples: SampleList,
    ) -> Sequence[Tensor]:
        """Embed masks, before any name is known; arguments as in :meth:`forward`.

        Returns:
            Sequence[Tensor]: What :meth:`score` reads, (Q, D) per image; or a tuple of tensors.
        """
        raise NotImplementedError(
            f'{type(self).__name__} is a MaskClassifier and gives no scores: implement forward, or '
            'embed and score.')

    def score(
        self, embeddings: Sequence[Tensor], vocabularies: list[Vocabulary]
    ) -> list[MaskScores]:
        """Score what :meth:`embed` gave, with a vocabulary per image."""
        raise NotImplementedError(f'{type(self).__name__} implements embed, but not score.')

    def forward(
        self,
        images: Tensor,
        features: tuple[Tensor, ...],
        masks: Sequence[Tensor],
        batch_data_samples: SampleList,
        vocabularies: list[Vocabulary],
    ) -> list[MaskScores]:
        """Score masks.

        Args:
            images (Tensor): RGB in [0, 1], padded, (B, 3, H, W).
            features (tuple[Tensor, ...]): Maps of the backbone (and neck), of the padded images.
            masks (Sequence[Tensor]): Mask logits of the padded images, (Q, h, w) per image; a
                tensor (B, Q, h, w) if all have the same number.
            batch_data_samples (SampleList): Their ``img_shape`` is the size without padding.
            vocabularies (list[Vocabulary]): One per image.

        Returns:
            list[MaskScores]: One per image, with the K of its vocabulary.
        """
        return self.score(self.embed(images, features, masks, batch_data_samples), vocabularies)

    def name_encoders(self) -> list[tuple[FrozenCLIP, Prompt]]:
        """As :meth:`MaskSource.name_encoders`."""
        return []

    def loss(
        self,
        images: Tensor,
        features: tuple[Tensor, ...],
        batch_data_samples: SampleList,
        targets: MaskTargets,
    ) -> dict[str, Tensor]:
        """Compute losses in training; called if ``trains``.

        Args:
            images (Tensor): As in :meth:`forward`.
            features (tuple[Tensor, ...]): As in :meth:`forward`; with ``learns_from_truth`` there
                may be none.
            batch_data_samples (SampleList): As in :meth:`forward`.
            targets (MaskTargets): True masks, predicted ones, and which belong together; with
                ``learns_from_truth`` true masks alone.

        Returns:
            dict[str, Tensor]: Scalars. What has 'loss' in its name is added up; the detector puts
            'classifier.' before each name.
        """
        return {}
