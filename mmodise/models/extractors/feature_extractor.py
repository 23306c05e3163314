"""The interface between a frozen generator and a backbone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from torch import Tensor

from ..frozen import FrozenModule, FrozenNetworks


class FeatureMap(NamedTuple):
    """A map that an extractor gives.

    Attributes:
        name (str): What it is, such as ``'unet8'``, for messages and tables.
        channels (int): Its channels.
        stride (int): Pixels of the extractor's input per cell.
        chosen_by (tuple[str, object], optional): The setting of the extractor that chooses it, one
            of ``map_settings``, and the entry there, such as ``('unet_blocks', 8)``. None: the
            extractor always gives it.
        noise (float, optional): The entry of ``noise_setting`` that it was computed at, such as the
            timestep. None: it depends on no noise.
    """

    name: str
    channels: int
    stride: int
    chosen_by: tuple[str, object] | None = None
    noise: float | None = None


def at_each_noise(
    maps: Sequence[FeatureMap], levels: Sequence[float], stride: int
) -> list[FeatureMap]:
    """Maps of a network that is run once per level of noise; 'name.i' where there are several.

    Args:
        maps (Sequence[FeatureMap]): Of one pass, with strides against the network's input.
        levels (Sequence[float]): Of the noise.
        stride (int): Of the network's input against the extractor's.

    Returns:
        list[FeatureMap]: Level by level.
    """
    several = len(levels) > 1
    return [
        of._replace(name=of.name + f'.{i}' * several, stride=stride * of.stride, noise=level)
        for i, level in enumerate(levels) for of in maps]


class FeatureExtractor(FrozenModule):
    """Base of the parts that read inner feature maps of a frozen generator.

    :class:`DiffusionBackbone` needs no more of an extractor than what is here. A subclass loads its
    networks, says which maps it gives, and computes them in :meth:`forward`. It must keep nothing
    of a call on the module, since calls may come from several threads.

    Args:
        networks (FrozenNetworks): The generator's networks, as ``frozen``.
        maps (list[FeatureMap]): What :meth:`forward` gives, in this order.
        image_size (int): Side in pixels of the square images that the generator was made for.
        condition (dict[str, int | None], optional): What a captioner must deliver to condition the
            generator, as the captioner's arguments: ``text_length`` and ``text_width``;
            ``time_width``, None without a time embedding, and ``num_timesteps``; ``pooled_width``
            if it takes pooled text. None: nothing can condition it. Defaults to None.

    Attributes:
        map_settings (tuple[str, ...]): Of a class: the arguments that choose maps, each a list of
            entries, or 'all'.
        noise_setting (str, optional): Of a class: the argument that is the list of timesteps, or of
            other measures of noise. None: the generator is given no noise.
    """

    map_settings: ClassVar[tuple[str, ...]] = ()
    noise_setting: ClassVar[str | None] = None

    def __init__(
        self, networks: FrozenNetworks, maps: list[FeatureMap], image_size: int,
        condition: dict[str, int | None] | None = None,
    ) -> None:
        super().__init__(networks)
        self.maps = maps
        self.image_size = image_size
        self.condition = condition

    @property
    def feature_widths(self) -> list[int]:
        """Channels of the maps."""
        return [feature_map.channels for feature_map in self.maps]

    @property
    def feature_strides(self) -> list[int]:
        """Strides of the maps against the extractor's input."""
        return [feature_map.stride for feature_map in self.maps]

    @property
    def in_channels_last(self) -> bool:
        """Whether networks compute in channels_last, and give maps so, see :func:`lay_out`."""
        return getattr(self.frozen, 'in_channels_last', False)

    def load_text_encoder(self) -> None:
        """Get ready for :meth:`embed_captions`, as ``text_encoder``; once, before any call.

        Raises:
            ValueError: If the extractor embeds no captions, as it is here.
        """
        raise ValueError(
            f'{type(self).__name__} embeds no captions; use a captioner that gives offsets, '
            'ImplicitCaptioner or LearnedPrompt, or set captioner=None')

    def embed_captions(self, captions: Sequence[str]) -> tuple[Tensor | None, ...]:
        """What N captions add to the condition of the empty one, as :meth:`forward` takes it."""
        return self.text_encoder(captions)

    @abstractmethod
    def forward(self, images: Tensor, *condition: Tensor | None) -> list[Tensor]:
        """Extract the maps.

        Args:
            images (Tensor): RGB in [0, 1], (B, 3, S, S), S a multiple of the deepest stride.
            *condition (Tensor, optional): What a captioner delivers: offsets of the text condition,
                of the time embedding and of the pooled text, see :class:`ImplicitCaptioner`;
                nothing where there is no captioner.

        Returns:
            list[Tensor]: (B, maps[i].channels, S // maps[i].stride, S // maps[i].stride).
        """
