"""What a decoder layer predicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor

from .mask_embedding import MaskEmbedding


@dataclass(eq=False)
class LayerOutput:
    """Predictions of the initial queries, or after one decoder layer.

    Args:
        queries (Tensor): After the final norm, (B, Q, C).
        masks (Tensor): Mask logits, (B, Q, H / 4, W / 4).
        scores (Tensor): What ``cls_embed`` makes of the queries, (B, Q, ...).
        mask_features (Tensor): Of the pixel decoder, the same for all layers, (B, C, H / 4, W / 4).
        mask_embedding (MaskEmbedding): The module that embeds masks.
    """

    queries: Tensor
    masks: Tensor
    scores: Tensor
    mask_features: Tensor = field(repr=False)
    mask_embedding: MaskEmbedding = field(repr=False)

    @cached_property
    def embeddings(self) -> Tensor:
        """Mask embeddings, (B, Q, C); computed when first read, as testing reads the last only."""
        return self.mask_embedding(self.queries, self.masks, self.mask_features)

    def select(self, indices: Tensor) -> LayerOutput:
        """The same of some queries, by their indices (B, N)."""
        def gather(values: Tensor) -> Tensor:
            places = indices.view(*indices.shape, *[1] * (values.ndim - 2))
            return values.gather(1, places.expand(-1, -1, *values.shape[2:]))

        chosen = LayerOutput(
            *map(gather, (self.queries, self.masks, self.scores)), self.mask_features,
            self.mask_embedding)
        if 'embeddings' in self.__dict__:  # computed already
            chosen.embeddings = gather(self.embeddings)
        return chosen
