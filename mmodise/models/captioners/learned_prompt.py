"""A condition that is learned and the same for every picture."""

import torch
from mmdet.registry import MODELS
from mmdet.utils import ConfigType
from mmengine.model import BaseModule
from torch import Tensor, nn


@MODELS.register_module()
class LearnedPrompt(BaseModule):
    """Learns one offset to the generator's condition, whatever the picture.

    It is what :class:`ImplicitCaptioner` is without the image: as much can be learned of the data
    set, and nothing of the picture. It starts at zero, the empty caption. No CLIP is needed.

    Args:
        text_length (int): As in :class:`ImplicitCaptioner`, and so on.
        text_width (int): Likewise.
        time_width (int, optional): Likewise.
        num_timesteps (int): Likewise.
        pooled_width (int, optional): Likewise.
        init_cfg (dict, optional): Likewise.
    """

    def __init__(
        self,
        text_length: int = 77,
        text_width: int = 768,
        time_width: int | None = 1280,
        num_timesteps: int = 1,
        pooled_width: int | None = None,
        init_cfg: ConfigType | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.text = _zeros(text_length, text_width)
        self.time = None if time_width is None else _zeros(num_timesteps, time_width)
        self.pooled = None if pooled_width is None else _zeros(pooled_width)

    def forward(self, images: Tensor) -> tuple[Tensor | None, ...]:
        """Offsets for the generator, as :meth:`ImplicitCaptioner.forward` gives them.

        Args:
            images (Tensor): Of which only the number is read, (B, 3, H, W).
        """
        batch = len(images)
        text, time, pooled = (table if table is None else table.expand(batch, *table.shape[1:])
                              for table in (self.text, self.time, self.pooled))
        return (text, time) if pooled is None else (text, time, pooled)


def _zeros(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(1, *shape))
