"""A frozen CLIP as the backbone."""

from mmdet.registry import MODELS
from mmdet.utils import ConfigType
from mmengine.model import BaseModule
from torch import Tensor, nn


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


def check_widths(backbone: nn.Module, head: nn.Module) -> None:
    """Refuse a head that was built for maps of other widths, if both parts tell.

    Raises:
        ValueError: Gives the widths of both, and what to set.
    """
    given, expected = (getattr(part, name, None) for part, name in (
        (backbone, 'out_widths'), (head, 'in_channels')))
    if None not in (given, expected) and tuple(given) != tuple(expected):
        raise ValueError(
            f'The backbone, {type(backbone).__name__}, gives maps of the widths {list(given)}, and '
            f'model.panoptic_head.in_channels={list(expected)}. Set in_channels={list(given)}, or '
            'give model.backbone.clip the CLIP that the head was made for.')
