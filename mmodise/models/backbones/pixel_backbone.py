"""The picture itself, for mask sources that need no features, or their own."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor


@MODELS.register_module()
class PixelBackbone(BaseModule):
    """Hands the picture on: its pixels, or means of them, in place of features.

    For mask sources with networks of their own or that read files, and for clusters of colours,
    which clusters of features are compared with.

    Args:
        strides (Sequence[int]): Of the maps; of stride 1 it is the picture itself. Defaults to
            (1,).
        init_cfg (dict, optional): As in :class:`mmengine.model.BaseModule`.
    """

    def __init__(self, strides: Sequence[int] = (1, ), init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.strides = tuple(strides)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Average pixels.

        Args:
            images (Tensor): RGB in [0, 1], padded to a multiple of the strides, (B, 3, H, W).

        Returns:
            tuple[Tensor, ...]: (B, 3, H // s, W // s) for each stride s.
        """
        return tuple(
            images if stride == 1 else F.avg_pool2d(images, stride) for stride in self.strides)
