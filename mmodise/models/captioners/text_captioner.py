"""The base of captioners that give texts."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn


class TextCaptioner(nn.Module):
    """Base of the captioners whose captions are texts, one per window.

    :class:`DiffusionBackbone` has them embedded by the generator's own text encoder, see
    :meth:`FeatureExtractor.embed_captions`, so that the generator reads them as it read those that
    it was trained with. A captioner of another kind, such as :class:`ImplicitCaptioner`, gives what
    :meth:`FeatureExtractor.forward` takes: offsets to the condition of the empty caption.

    Attributes:
        reads_captions (bool): Of a class: whether it is given the captions of the images. An
            :class:`ODISE` hands those on that its samples carry.
    """

    reads_captions: ClassVar[bool] = False

    @abstractmethod
    def forward(self, images: Tensor, captions: Sequence[str]) -> list[str]:
        """Caption windows.

        Args:
            images (Tensor): Windows, RGB in [0, 1], (B, 3, S, S).
            captions (Sequence[str]): Of the image that each window is of, B; empty unless
                ``reads_captions``.

        Returns:
            list[str]: B captions.
        """
