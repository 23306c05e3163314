"""ConvNeXt image towers."""

from __future__ import annotations

from open_clip.timm_model import TimmModel
from timm.layers import SelectAdaptivePool2d
from timm.models.convnext import ConvNeXt
from torch import Tensor, nn

from ...mask_pooling import pool_masks
from .dense_tower import DenseTower


class ConvNeXtTower(DenseTower):
    """A ConvNeXt of timm's; CLIP's own head is a mean over all cells, a norm and a projection."""

    visual: TimmModel

    @staticmethod
    def accepts(visual: nn.Module) -> bool:
        """Whether it is a ConvNeXt with average pooling."""
        trunk = getattr(visual, 'trunk', None)
        if not isinstance(visual, TimmModel) or not isinstance(trunk, ConvNeXt):
            return False
        pool = getattr(trunk.head, 'global_pool', None)
        return isinstance(pool, SelectAdaptivePool2d) and pool.pool_type == 'avg'

    @property
    def stage_widths(self) -> tuple[int, int, int, int]:
        """Channels of the maps."""
        return tuple(stage['num_chs'] for stage in self.visual.trunk.feature_info)

    def encode_maps(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Outputs of the stages, see :meth:`DenseTower.encode_maps`."""
        trunk = self.visual.trunk
        x, maps = trunk.stem(images), []
        for stage in trunk.stages:
            x = stage(x)
            maps.append(x)
        # an identity, except in ConvNeXts that norm before they pool
        return *maps[:-1], trunk.norm_pre(maps[-1])

    def embed_cells(self, dense: Tensor, cells: Tensor) -> Tensor:
        """CLIP's own head on the mean of the cells; what it makes of 0 where there are none."""
        pooled = pool_masks(cells, dense)  # (B, Q, C)
        single = pooled.to(self.visual.trunk.stem[0].weight.dtype).flatten(0, 1)[..., None, None]
        embedded = self.visual.head(self.visual.trunk.forward_head(single))
        return embedded.unflatten(0, pooled.shape[:2])
