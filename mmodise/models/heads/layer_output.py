"""What a decoder layer predicts."""

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
