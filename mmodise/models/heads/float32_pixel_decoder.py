"""A pixel decoder that computes in float32."""

from collections.abc import Sequence

import torch
from mmdet.models.layers import MSDeformAttnPixelDecoder
from mmdet.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class Float32PixelDecoder(MSDeformAttnPixelDecoder):
    """mmdet's pixel decoder, in float32 under autocast as well (Mask2Former, FC-CLIP)."""

    def forward(self, feats: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """As the parent's, in float32."""
        with torch.autocast(feats[0].device.type, enabled=False):
            return super().forward([
                feature.to(torch.promote_types(feature.dtype, torch.float32)) for feature in feats])
