"""The backbone: windows -> frozen diffusion features -> four ordinary feature maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from mmdet.models.backbones.resnet import Bottleneck
from mmdet.registry import MODELS
from mmdet.utils import ConfigType
from mmengine.model import BaseModule, ModuleList
from torch import Tensor, nn

from ..captioners import TextCaptioner
from ..extractors.taps import checkpointed
from ..int8 import is_quantized
from .windows import Stitcher, cut_windows

OUT_STRIDES = (4, 8, 16, 32)
_CPU_PIXELS = 512**2  # at once: what is read of more leaves the cache before it is used
#: Offsets that a captioner gives, see :meth:`FeatureExtractor.forward`.
Condition = tuple[Tensor | None, ...]


def _projection(in_channels: int, out_channels: int) -> Bottleneck:
    """ResNet's bottleneck with GroupNorm; a convolutional shortcut where the widths differ."""
    norm_cfg = dict(type='GN', num_groups=32)
    shortcut = None
    if in_channels != out_channels:
        conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        shortcut = nn.Sequential(conv, nn.GroupNorm(32, out_channels))
    planes = out_channels // Bottleneck.expansion
    return Bottleneck(in_channels, planes, downsample=shortcut, norm_cfg=norm_cfg)


def _resized(feature: Tensor, side: int) -> Tensor:
    if feature.shape[-1] == side:
        return feature
    return F.interpolate(feature, (side, side), mode='nearest')


def _each(condition: Condition, change: Callable[[Tensor], Tensor]) -> Condition:
    return tuple(offset if offset is None else change(offset) for offset in condition)


def _gives_texts(captioner: ConfigType) -> bool:
    kind = captioner['type']
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    return isinstance(kind, type) and issubclass(kind, TextCaptioner)


@MODELS.register_module()
class DiffusionBackbone(BaseModule):
    """Feature maps out of a frozen text-to-image diffusion model (paper, 3.2).

    To the rest of a model it is an ordinary backbone: images in, a tuple of four maps of strides
    4, 8, 16 and 32 out. It works on square windows, in training and in testing (official release),
    those of all images of a batch together.

    Args:
        extractor (dict): Config of a :class:`FeatureExtractor`, such as
            :class:`StableDiffusionExtractor`.
        captioner (dict, optional): Config of an :class:`ImplicitCaptioner` or
            :class:`LearnedPrompt`, whose ``text_length``, ``text_width``, ``time_width`` and
            ``num_timesteps`` follow the extractor unless given; or of a :class:`TextCaptioner`,
            for an extractor that embeds captions. None: the empty caption. Defaults to None.
        out_channels (int, optional): Channels of all four maps. None: nothing is trained or
            projected; the maps of one stride are concatenated, each with vectors of length 1 so
            that none outweighs the others, and strides without a map are left out. Defaults to 512
            (official release).
        window_size (int): Side of the windows in pixels; smaller where the image is smaller.
            The extractor is given windows of its own ``image_size``: smaller ones are enlarged,
            larger ones shrunk. Defaults to 512 (official release).
        max_windows (int, optional): How many windows go through the diffusion model at once, which
            bounds its memory; the maps are the same. None: all of a batch; on a CPU without
            gradients as many as the extractor sees as 512 x 512 pixels. Defaults to None.
        strides (Sequence[int], optional): Where each map that is read goes, in the order of the
            extractor's ``feature_strides``: 4, 8, 16 or 32, the stride of the output map that it
            is resized to and summed into. None: its own stride, clamped to 4 to 32 (official
            release). Defaults to None.
        caption_whole_images (bool): Whether the captioner sees each image once, squeezed into a
            square, and all windows of an image get its caption, an approximation; or else each
            window. Nothing changes where a square image is one window. Defaults to False.
        with_image (bool): Whether the images come first among the maps, with stride 1, for a
            :class:`ClusterHead` that refines masks by colours. Defaults to False.
        with_cp (bool): Recompute the projections in the backward pass, to save memory. The
            official release does. Defaults to False.
        init_cfg (dict, optional): As in :class:`mmengine.model.BaseModule`.

    Raises:
        ValueError: If ``max_windows`` is less than 1, there is no captioner to
            ``caption_whole_images``, an output map gets nothing, ``strides`` does
            not fit the maps that are read, there is a captioner but no UNet for it to condition, or
            it is of another shape than the extractor needs, or gives texts to an extractor that
            embeds no captions.
    """

    def __init__(
        self,
        extractor: ConfigType,
        captioner: ConfigType | None = None,
        out_channels: int | None = 512,
        window_size: int = 512,
        max_windows: int | None = None,
        strides: Sequence[int] | None = None,
        caption_whole_images: bool = False,
        with_image: bool = False,
        with_cp: bool = False,
        init_cfg: ConfigType | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if max_windows is not None and max_windows < 1:
            raise ValueError(
                f'DiffusionBackbone: max_windows={max_windows}; give 1 or more, or None for as '
                'many as are fast on the device')
        if caption_whole_images and captioner is None:
            raise ValueError(
                'DiffusionBackbone: caption_whole_images=True needs a captioner; leave it out, or '
                'set captioner')
        self.caption_whole_images = caption_whole_images
        self.extractor = MODELS.build(extractor)
        self.captioner = None
        if captioner is not None:
            shape = self.extractor.condition
            if shape is None:
                raise ValueError(
                    'DiffusionBackbone: nothing conditions the extractor, so it cannot have a '
                    "captioner (of Stable Diffusion's, no block of the UNet is read: "
                    'extractor.unet_blocks is empty); set captioner=None'
                )
            for name in shape.keys() & captioner.keys():
                if captioner[name] != shape[name]:
                    raise ValueError(
                        f'DiffusionBackbone: captioner.{name}={captioner[name]}, but the extractor '
                        f'needs {shape[name]}; leave it out, and it follows the extractor')
            if _gives_texts(captioner):
                self.extractor.load_text_encoder()
                shape = {}
            self.captioner = MODELS.build({**shape, **captioner})
        self.window_size = window_size
        self.with_cp = with_cp
        self.max_windows = max_windows
        self.with_image = with_image
        self.strides = self._check_strides(strides, all_needed=out_channels is not None)
        self.projections = None
        if out_channels is not None:
            self.projections = ModuleList(
                _projection(width, out_channels) for width in self.extractor.feature_widths)
        self._pyramid = {stride: stride for stride in sorted(set(self.strides))}

    def _check_strides(self, strides: Sequence[int] | None, all_needed: bool) -> list[int]:
        """The stride of the output map that each map that is read goes to."""
        natural = self.extractor.feature_strides
        if strides is None:
            low, high = OUT_STRIDES[0], OUT_STRIDES[-1]
            strides = [min(max(stride, low), high) for stride in natural]
        if len(strides) != len(natural) or not set(strides) <= set(OUT_STRIDES):
            raise ValueError(
                f'DiffusionBackbone: strides={list(strides)}; give one of {OUT_STRIDES} for each '
                f'of the {len(natural)} maps that are read, whose own strides are {natural}'
            )
        if all_needed and (missing := set(OUT_STRIDES) - set(strides)):
            raise ValueError(
                f'DiffusionBackbone: no map of stride {sorted(missing)} is read; choose blocks of '
                f'the extractor whose strides are {OUT_STRIDES} (now {list(strides)}), or say in '
                '`strides` where each map goes'
            )
        return list(strides)

    @property
    def reads_captions(self) -> bool:
        """Whether the captioner is to be given the captions of the images."""
        return getattr(self.captioner, 'reads_captions', False)

    def forward(self, images: Tensor, captions: Sequence[str] = ()) -> tuple[Tensor, ...]:
        """Extract features.

        Args:
            images (Tensor): RGB in [0, 1], padded to a multiple of 64, (B, 3, H, W).
            captions (Sequence[str]): One per image, if the backbone ``reads_captions``.

        Returns:
            tuple[Tensor, ...]: (B, out_channels, H // s, W // s) for s in 4, 8, 16, 32; after the
            images, if they are asked for.
        """
        maps = self._stitch(images, captions, self._forward_windows, self._pyramid)
        return (images, *maps) if self.with_image else maps

    def raw_maps(self, images: Tensor, captions: Sequence[str] = ()) -> dict[str, Tensor]:
        """The extractor's own maps of whole images.

        Args:
            images (Tensor): As in :meth:`forward`.
            captions (Sequence[str]): Likewise.

        Returns:
            dict[str, Tensor]: By their names (B, channels, H // s, W // s), s the stride of each.
        """
        def extract(windows: Tensor, condition: Condition, side: int) -> dict[str, Tensor]:
            return self._named(self.extractor(windows, *condition), side)

        strides = self._inner_strides
        return dict(zip(strides, self._stitch(images, captions, extract, strides), strict=True))

    def inner_maps(
        self, images: Tensor, captions: Sequence[str] = ()
    ) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
        """The extractor's own maps of whole images, and what :meth:`forward` makes of them.

        Args:
            images (Tensor): As in :meth:`forward`.
            captions (Sequence[str]): Likewise.

        Returns:
            tuple: What :meth:`raw_maps` gives; and the maps without the images.
        """
        def extract(windows: Tensor, condition: Condition, side: int) -> dict:
            features = self.extractor(windows, *condition)
            return self._named(features, side) | self._project(features, side)

        strides = self._inner_strides
        whole = self._stitch(images, captions, extract, strides | self._pyramid)
        return dict(zip(strides, whole, strict=False)), whole[len(strides):]

    @property
    def _inner_strides(self) -> dict[str, int]:
        return {extracted.name: extracted.stride for extracted in self.extractor.maps}

    def _named(self, features: list[Tensor], side: int) -> dict[str, Tensor]:
        """The extractor's maps of windows, each of its stride."""
        return {name: _resized(feature, side // stride) for (name, stride), feature in zip(
            self._inner_strides.items(), features, strict=True)}

    def train(self, mode: bool = True) -> DiffusionBackbone:
        """As the parent's.

        Raises:
            ValueError: If a captioner that is trained needs gradients through layers in int8.
        """
        weights = () if self.captioner is None else self.captioner.parameters()
        if (mode and any(weight.requires_grad for weight in weights)
                and any(map(is_quantized, self.extractor.frozen_modules()))):
            raise ValueError(
                "DiffusionBackbone: model.backbone.extractor.dtype='int8' passes no gradients to "
                "the captioner, which is trained. Train with 'float32' or 'bfloat16', and test in "
                'int8.')
        return super().train(mode)

    def _stitch(
        self, images: Tensor, captions: Sequence[str],
        make: Callable[[Tensor, Condition, int], dict], strides: dict[object, int],
    ) -> tuple[Tensor, ...]:
        """Maps of whole images, from what is made of their windows, by keys with strides."""
        size = tuple(images.shape[-2:])
        side = min(self.window_size, *size)
        windows, origins = cut_windows(images, side)  # (B x n, 3, side, side)
        stitchers = {key: Stitcher(len(images), origins, stride, size)
                     for key, stride in strides.items()}
        whole = None
        if self.caption_whole_images:
            whole = _each(
                self._condition(self._fitting(images), captions),
                lambda offset: offset.repeat_interleave(len(origins), dim=0))
        captions = [caption for caption in captions for _ in origins]  # of an image its windows'
        at_once = self.max_windows or self._windows_at_once(windows)
        for start in range(0, len(windows), at_once):
            part = slice(start, start + at_once)
            fitting = self._fitting(windows[part])
            condition = (
                self._condition(fitting, captions[part]) if whole is None
                else _each(whole, lambda offset, part=part: offset[part]))
            for key, maps in make(fitting, condition, side).items():
                stitchers[key].add(maps)
        return tuple(stitcher.finish() for stitcher in stitchers.values())

    def _windows_at_once(self, windows: Tensor) -> int:
        """More on a CPU would take memory, and no less time; with gradients all maps are kept."""
        if windows.device.type == 'cpu' and not torch.is_grad_enabled():
            return max(1, _CPU_PIXELS // self.extractor.image_size**2)
        return len(windows)

    def _fitting(self, images: Tensor) -> Tensor:
        """Images as squares of the extractor's size."""
        size = (self.extractor.image_size, ) * 2
        if tuple(images.shape[-2:]) == size:
            return images
        # bicubic without antialiasing, as the official release
        return F.interpolate(images, size, mode='bicubic', align_corners=False)

    def _condition(self, images: Tensor, captions: Sequence[str]) -> Condition:
        """Offsets to what the generator makes of the empty caption."""
        if self.captioner is None:
            return ()
        if isinstance(self.captioner, TextCaptioner):
            return self.extractor.embed_captions(self.captioner(images, captions))
        return self.captioner(images)

    def _forward_windows(self, windows: Tensor, condition: Condition, side: int) -> dict:
        """Projected features of windows, summed by stride."""
        return self._project(self.extractor(windows, *condition), side)

    def _project(self, features: list[Tensor], side: int) -> dict[int, Tensor]:
        if self.projections is None:
            return self._concatenate(features, side)
        pyramid = {}
        # of large maps in channels_last torch's group normalization loses digits, see
        # PreciseGroupNorm
        order = torch.contiguous_format if self.extractor.in_channels_last else (
            torch.preserve_format)
        for feature, stride, project in zip(features, self.strides, self.projections, strict=True):
            feature = _resized(feature, side // stride)
            feature = feature.to(project.conv1.weight.dtype, memory_format=order)
            # mmdet's own switch skips the VAE's maps, which need no gradient
            projected = checkpointed(project, feature) if self.with_cp else project(feature)
            pyramid[stride] = pyramid[stride] + projected if stride in pyramid else projected
        return pyramid

    def _concatenate(self, features: list[Tensor], side: int) -> dict[int, Tensor]:
        """Features of windows as they are, normalised, and those of one stride together."""
        parts = {stride: [] for stride in self._pyramid}
        for feature, stride in zip(features, self.strides, strict=True):
            parts[stride].append(F.normalize(_resized(feature, side // stride).float(), dim=1))
        return {stride: torch.cat(maps, 1) for stride, maps in parts.items()}
