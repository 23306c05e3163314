"""What a model makes of a batch before it knows names, and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from ..vocabulary import Vocabulary
from .classifiers import MaskScores
from .heads import MaskPredictions


class Observation(NamedTuple):
    """What is known of a batch before any name is.

    Attributes:
        found: The masks; None if the mask source finds them with the names only.
        embeddings: What the classifier makes of the masks; None without a classifier, or if it
            embeds them with the names only.
        inputs: Images and features, where one of the two is still needed; or else None.
    """

    found: MaskPredictions | None
    embeddings: Sequence[Tensor] | None
    inputs: tuple[Tensor, tuple[Tensor, ...]] | None

    def of_image(self, index: int) -> Observation:
        """The same of one image of the batch, as a batch of one."""
        one = slice(index, index + 1)
        found, embeddings, inputs = self
        if found is not None:
            found = MaskPredictions(*(part if part is None else part[one] for part in found))
        if inputs is not None:
            inputs = inputs[0][one], tuple(maps[one] for maps in inputs[1])
        return Observation(found, None if embeddings is None else embeddings[one], inputs)


class Scores(NamedTuple):
    """What the networks make of a batch, before one result is made of it.

    ``vocabularies`` has one element per image, and so has ``out_of_vocabulary``, the scores of the
    classifier, which is None without a classifier. ``predictions`` are those of the mask source.
    """

    vocabularies: list[Vocabulary]
    predictions: MaskPredictions
    out_of_vocabulary: list[MaskScores] | None
