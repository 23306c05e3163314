"""ConvNeXt trunks of any size, by a name that says it."""

import re
from collections.abc import Sequence

import timm
from torch import nn

_NAME = re.compile(r'convnext_(\d+(?:-\d+)*)_(\d+(?:-\d+)*)')


def convnext_name(depths: Sequence[int], widths: Sequence[int]) -> str:
    """The name of a ConvNeXt that has none of timm's, such as 'convnext_1-1-2-1_32-48-64-96'.

    Args:
        depths (Sequence[int]): Blocks of each stage.
        widths (Sequence[int]): Channels of each stage.
    """
    return f'convnext_{"-".join(map(str, depths))}_{"-".join(map(str, widths))}'


def register_convnext(name: str | None) -> None:
    """Let timm know the ConvNeXt of such a name; of any other, nothing happens.

    All that the name does not say is as in ConvNeXt-Tiny, -Base and -Large.
    """
    match = _NAME.fullmatch(name or '')
    if match is None or timm.is_model(name):
        return
    depths, widths = (tuple(map(int, group.split('-'))) for group in match.groups())

    def build(pretrained: bool = False, pretrained_cfg: object = None,
              pretrained_cfg_overlay: object = None, **kwargs) -> nn.Module:
        return timm.create_model(
            'convnext_tiny', pretrained=False, depths=depths, dims=widths, **kwargs)

    build.__name__ = name
    timm.models.register_model(build)
