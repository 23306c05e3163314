"""Image towers that give maps of pictures of any size."""

from torch import nn

from .convnext_tower import ConvNeXtTower
from .dense_tower import LAST_STRIDE, DenseTower
from .resnet_tower import ResNetTower


def dense_tower(visual: nn.Module) -> DenseTower:
    """What a CLIP's image tower can do with its maps.

    Args:
        visual (Module): open_clip's.

    Raises:
        ValueError: If it is no tower that can; names those that are.
    """
    for kind in (ConvNeXtTower, ResNetTower):
        if kind.accepts(visual):
            return kind(visual)
    trunk = getattr(visual, 'trunk', visual)
    raise ValueError(
        'maps of a picture of any size, and the embeddings of their cells, need a CLIP whose image '
        'tower is a ConvNeXt with average pooling (such as convnext_large_d_320) or one of '
        f"OpenAI's ResNets (such as RN50-quickgelu); this one is a {type(trunk).__name__}. Choose "
        'such a CLIP, or for a vision transformer the classifier CLIPClassifier.')


__all__ = ['LAST_STRIDE', 'ConvNeXtTower', 'DenseTower', 'ResNetTower', 'dense_tower']
