"""The maps of whole pictures that are probed, on no finer a grid than all are compared on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...models.backbones import DiffusionBackbone
from ...models.extractors import FeatureMap
from .cells import pooled
from .generator import PIXELS


class MapReader:
    """Reads some maps of a generator from batches of pictures, none of them finer than the grid.

    Args:
        backbone (DiffusionBackbone, optional): Reads the generator. None reads pixels only.
        maps (Sequence[FeatureMap]): Those to read.
    """

    def __init__(self, backbone: DiffusionBackbone | None, maps: Sequence[FeatureMap]) -> None:
        self.backbone = backbone
        self.maps = {feature_map.name: feature_map for feature_map in maps}

    @torch.no_grad()
    def read(self, images: Tensor) -> dict[str, Tensor]:
        """Extract maps of whole pictures, under the empty caption.

        Args:
            images (Tensor): RGB in [0, 1], padded, (B, 3, H, W).

        Returns:
            dict[str, Tensor]: By name (B, C, H // s, W // s), s the map's stride, or the grid's if
            that is larger.
        """
        found = {PIXELS.name: images}
        if self.backbone is not None:
            found.update(self.backbone.raw_maps(images))
        return {name: pooled(found[name], feature_map.stride)
                for name, feature_map in self.maps.items()}
