"""What the detector asks of a source of masks."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from mmdet.structures import SampleList
from mmdet.utils import ConfigType, InstanceList
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...vocabulary import Vocabulary
from ..clip import FrozenCLIP, Prompt
from .layer_output import LayerOutput


class MaskPredictions(NamedTuple):
    """Masks of a batch, and what their source knows of them.

    Attributes:
        masks: Mask logits of the padded images, (Q, h, w) per image, at any resolution; a tensor
            (B, Q, h, w) if all images have the same number Q.
        in_vocabulary: Class logits per image, "no object" last, (Q, K + 1) with the K of its
            vocabulary; None if the source does not know names. A classifier names the masks then.
        objectness: Probability per image that a mask is an object or a region, (Q,); read where
            there is no ``in_vocabulary``. None if all are.
        embeddings: Mask embeddings per image, (Q, C), if the source has any.
        scores: What else :meth:`MaskSource.name` reads, (Q, ...) per image; None for nothing.
    """

    masks: Sequence[Tensor]
    in_vocabulary: Sequence[Tensor] | None = None
    objectness: Sequence[Tensor] | None = None
    embeddings: Sequence[Tensor] | None = None
    scores: Sequence[Tensor] | None = None


class MaskTargets(NamedTuple):
    """Masks of a batch in training, for a classifier that trains and for :class:`ConsistencyLoss`.

    Attributes:
        vocabulary: The training vocabulary, which labels count in.
        instances: True masks (N, H, W), 0 or 1, of the padded images and their labels (N,), things
            and stuff in one, per image.
        predictions: Predicted masks, with their graph; None for a classifier that learns from true
            masks alone.
        matches: Per image the true mask that each prediction is matched with, int64 (Q,), and -1
            where there is none; None without predictions.
        layers: What each layer of a decoder predicts, with its graph; the last one's masks are
            ``predictions``. Empty if the source has no such layers.
    """

    vocabulary: Vocabulary
    instances: InstanceList
    predictions: MaskPredictions | None = None
    matches: list[Tensor] | None = None
    layers: Sequence[LayerOutput] = ()


def check_queries(source: nn.Module, test_cfg: ConfigType | None) -> None:
    """Refuse ``test_cfg.max_queries`` where the masks come of no queries.

    Raises:
        ValueError: Says of which source.
    """
    if (test_cfg or {}).get('max_queries') is not None and not hasattr(source, 'max_queries'):
        raise ValueError(
            f'model.test_cfg.max_queries: {type(source).__name__} has no queries; leave it out.')


class MaskSource(BaseModule):
    """Base of the heads: feature maps -> masks, and optionally in-vocabulary scores.

    The detector relies on nothing else. A source sets ``vocabulary``, and implements one of two:

    - :meth:`find`, if its masks do not depend on names; and :meth:`name`, if it has in-vocabulary
      scores. Its masks are found once per image, however many vocabularies are asked for.
    - :meth:`predict`, which is given the names, and is called for every vocabulary.

    Its configs are given ``train_cfg`` and ``test_cfg``, as all of mmdet's heads are.
    """

    #: The training vocabulary, which counts as seen; also what is looked for in images that bring
    #: no classes.
    vocabulary: Vocabulary

    @cached_property
    def num_things_classes(self) -> int:
        """Number of thing classes of the training vocabulary."""
        return self.vocabulary.num_things

    @cached_property
    def num_stuff_classes(self) -> int:
        """Number of stuff classes of the training vocabulary."""
        return self.vocabulary.num_stuff

    @cached_property
    def num_classes(self) -> int:
        """Number of labels that losses tell apart."""
        return len(self.vocabulary)

    @property
    def finds_without_names(self) -> bool:
        """Whether :meth:`find` and :meth:`name` do what :meth:`predict` does."""
        return type(self).predict is MaskSource.predict

    def find(self, x: tuple[Tensor, ...], batch_data_samples: SampleList) -> MaskPredictions:
        """Find masks, before any name is known.

        Args:
            x (tuple[Tensor, ...]): Maps of the backbone (and neck), of the padded images.
            batch_data_samples (SampleList): B samples, with ``batch_input_shape``, ``img_shape``
                and ``ori_shape``.

        Returns:
            MaskPredictions: Without ``in_vocabulary``; with all that :meth:`name` reads.
        """
        raise NotImplementedError(
            f'{type(self).__name__} is a MaskSource and gives no masks: implement find, or predict '
            'if they depend on the names.')

    def name(self, found: MaskPredictions, vocabularies: list[Vocabulary]) -> MaskPredictions:
        """Add in-vocabulary scores; as it is here, there are none, and the classifier names.

        Args:
            found (MaskPredictions): Of :meth:`find`.
            vocabularies (list[Vocabulary]): One per image.
        """
        return found

    def predict(
        self, x: tuple[Tensor, ...], batch_data_samples: SampleList, vocabularies: list[Vocabulary]
    ) -> MaskPredictions:
        """Predict masks.

        Args:
            x (tuple[Tensor, ...]): As in :meth:`find`.
            batch_data_samples (SampleList): As in :meth:`find`.
            vocabularies (list[Vocabulary]): One per image.
        """
        return self.name(self.find(x, batch_data_samples), vocabularies)

    def name_encoders(self) -> list[tuple[FrozenCLIP, Prompt]]:
        """What embeds names, and the prompt that it puts them into; none as it is here.

        Names whose embeddings are saved in a file are saved for these.
        """
        return []

    def loss(self, x: tuple[Tensor, ...], batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Compute losses, scalars by name.

        Raises:
            RuntimeError: If the source is not one that is trained.
        """
        losses, _ = self.loss_and_targets(x, batch_data_samples)
        return losses

    def loss_and_targets(
        self, x: tuple[Tensor, ...], batch_data_samples: SampleList
    ) -> tuple[dict[str, Tensor], MaskTargets]:
        """Compute losses, and what a classifier that trains, or the consistency, reads.

        Raises:
            RuntimeError: If the source is not one that is trained.
        """
        raise RuntimeError(
            f'{type(self).__name__} is not trained: it has no loss. Test the model as it is, or '
            'give model.panoptic_head a head that learns, such as ODISEHead.')
