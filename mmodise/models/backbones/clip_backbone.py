"""A frozen CLIP as the backbone."""

from mmdet.registry import MODELS
from mmdet.utils import ConfigType
from mmengine.model import BaseModule
from torch import Tensor


@MODELS.register_module()
class CLIPBackbone(BaseModule):
    """The image tower of a frozen CLIP, whose four maps are handed on as they are (FC-CLIP).

    A :class:`PooledCLIPClassifier` with the same CLIP reads the last of them, so that the tower
    runs once per image.

    Args:
        clip (dict): Config of a :class:`FrozenCLIP` with a ConvNeXt or one of OpenAI's ResNets.
        init_cfg (dict, optional): As in :class:`mmengine.model.BaseModule`.

    Raises:
        ValueError: If CLIP's image tower gives no maps.
    """

    def __init__(self, clip: ConfigType, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.clip = MODELS.build(clip)
        #: Channels of the maps.
        self.out_widths: tuple[int, int, int, int] = self.clip.stage_widths

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps.

        Args:
            images (Tensor): RGB in [0, 1], padded, (B, 3, H, W).

        Returns:
            tuple[Tensor, ...]: (B, C, H / s, W / s) with strides s of 4, 8, 16 and 32.
        """
        return self.clip.encode_maps(images)
