"""The maps of whole pictures that an extractor gives, window by window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...models.backbones.windows import Stitcher, cut_windows
from ...models.extractors import FeatureExtractor, FeatureMap
from .cells import pooled
from .generator import PIXELS


class MapReader:
    """Reads some maps of an extractor from batches of pictures, none of them finer than the grid.

    Args:
        extractor (FeatureExtractor, optional): None reads pixels only.
        maps (Sequence[FeatureMap]): Those to read.
        window_size (int): Side of the windows that the extractor sees, in pixels.
        max_windows (int, optional): How many it sees at once. None: all of a batch.
    """

    def __init__(
        self, extractor: FeatureExtractor | None, maps: Sequence[FeatureMap], window_size: int,
        max_windows: int | None = None,
    ) -> None:
        self.extractor, self.window_size, self.max_windows = extractor, window_size, max_windows
        self.maps = {feature_map.name: feature_map for feature_map in maps}

    @torch.no_grad()
    def read(self, images: Tensor) -> Mapping[str, Tensor]:
        """Extract maps of whole pictures, under the empty caption.

        Args:
            images (Tensor): RGB in [0, 1], padded, (B, 3, H, W).

        Returns:
            Mapping: By name (B, C, H // s, W // s), s the map's stride, or the grid's if that is
            larger.
        """
        found = {}
        if PIXELS.name in self.maps:
            found[PIXELS.name] = pooled(images, PIXELS.stride)
        if self.extractor is None:
            return found
        size = tuple(images.shape[-2:])
        side = min(self.window_size, *size)
        windows, origins = cut_windows(images, side)
        stitchers = {}
        for part in windows.split(self.max_windows or len(windows)):
            for feature_map, feature in self._extract(part):
                cells = side // feature_map.stride
                if feature.shape[-1] != cells:  # of a window that is not of the model's size
                    feature = F.interpolate(feature, (cells, cells), mode='nearest')
                if feature_map.name not in stitchers:
                    stitchers[feature_map.name] = Stitcher(
                        len(images), origins, feature_map.stride, size)
                stitchers[feature_map.name].add(feature)
        return found | {name: pooled(stitcher.finish(), self.maps[name].stride)
                        for name, stitcher in stitchers.items()}

    def _extract(self, windows: Tensor) -> list[tuple[FeatureMap, Tensor]]:
        size = (self.extractor.image_size, self.extractor.image_size)
        if windows.shape[-2:] != torch.Size(size):  # as DiffusionBackbone
            windows = F.interpolate(windows, size, mode='bicubic', align_corners=False)
        maps = zip(self.extractor.maps, self.extractor(windows), strict=True)
        return [(found, feature) for found, feature in maps if found.name in self.maps]
