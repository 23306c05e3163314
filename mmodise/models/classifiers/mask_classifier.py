"""What the detector asks of a classifier of masks."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from mmdet.structures import SampleList
from mmengine.model import BaseModule
from torch import Tensor

from ...vocabulary import Vocabulary
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
    :class:`GeometricEnsemble`. A classifier that is trained sets ``trains`` and overrides
    :meth:`loss`; any other is used in testing only.
    """

    #: Whether :meth:`loss` is called in training.
    trains: bool = False

    @abstractmethod
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
            features (tuple[Tensor, ...]): As in :meth:`forward`.
            batch_data_samples (SampleList): As in :meth:`forward`.
            targets (MaskTargets): True masks, predicted ones, and which belong together.

        Returns:
            dict[str, Tensor]: Scalars. What has 'loss' in its name is added up; the detector puts
            'classifier.' before each name.
        """
        return {}
