"""What an image tower with maps can do."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

#: Pixels of a picture's side for which the last map has a cell.
LAST_STRIDE = 32


class DenseTower(ABC):
    """An image tower of CLIP's, seen as a backbone: four maps with strides 4, 8, 16 and 32.

    Args:
        visual (Module): open_clip's tower; nothing of it is copied.
    """

    def __init__(self, visual: nn.Module) -> None:
        self.visual = visual

    @staticmethod
    @abstractmethod
    def accepts(visual: nn.Module) -> bool:
        """Whether this is the kind of a tower."""

    @property
    @abstractmethod
    def stage_widths(self) -> tuple[int, int, int, int]:
        """Channels of the maps."""

    @abstractmethod
    def encode_maps(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Compute the maps.

        Args:
            images (Tensor): Normalised, in the tower's precision, (B, 3, H, W).

        Returns:
            tuple[Tensor, ...]: (B, C, H / s, W / s) for each stride s, without a norm.
        """

    @abstractmethod
    def embed_cells(self, dense: Tensor, cells: Tensor) -> Tensor:
        """Embed parts of the last map, see :meth:`FrozenCLIP.embed_cells`."""
