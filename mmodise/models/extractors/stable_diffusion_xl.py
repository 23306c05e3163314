"""Inner feature maps of Stable Diffusion XL."""

from collections.abc import Sequence

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from mmdet.registry import MODELS
from torch import Tensor

from ...checkpoints.stable_diffusion import load_stable_diffusion_xl
from .stable_diffusion import StableDiffusionExtractor
from .text_encoder_xl import FrozenTextEncoderXL


@MODELS.register_module()
class StableDiffusionXLExtractor(StableDiffusionExtractor):
    """Reads the inside of a frozen Stable Diffusion XL, as its parent that of 1.x and 2.x.

    Its UNet has three levels, and is told more: the states of two text encoders side by side, the
    pooled text of the second, and sizes. Those say that an image is whole: height and width before
    and after, a crop at (0, 0), as diffusers' pipeline by default.

    Args:
        pretrained (str): As in :class:`StableDiffusionExtractor`, of Stable Diffusion XL's base.
        encoder_blocks (Sequence[int] | str): Likewise.
        unet_blocks (Sequence[int] | str): Likewise. Defaults to (2, 5, 8), the last of each level.
        decoder_blocks (Sequence[int] | str): Likewise.
        zero_text (bool): What stands for no caption. False: what the text encoders make of "", a
            caption like any other, so that offsets start from where captions are, as in 1.x. True:
            zeros, which the model was trained with in place of a caption that was left out, and
            which its pipeline takes for a negative prompt that is not given. Defaults to False.
        **settings: All others of :class:`StableDiffusionExtractor`.

    Raises:
        FileNotFoundError: As :class:`StableDiffusionExtractor`.
        ValueError: Likewise.
    """

    def __init__(
        self,
        pretrained: str,
        encoder_blocks: Sequence[int] | str = (5, 7),
        unet_blocks: Sequence[int] | str = (2, 5, 8),
        decoder_blocks: Sequence[int] | str = (2, 5),
        zero_text: bool = False,
        **settings: object,
    ) -> None:
        super().__init__(pretrained, encoder_blocks, unet_blocks, decoder_blocks, **settings)
        self.zero_text = zero_text
        if zero_text:
            self.frozen.empty_text.zero_()
            self.frozen.empty_pooled.zero_()

    def forward(
        self, images: Tensor, text_offset: Tensor | None = None, time_offset: Tensor | None = None,
        pooled_offset: Tensor | None = None,
    ) -> list[Tensor]:
        """Extract the maps.

        Args:
            images (Tensor): As in :class:`StableDiffusionExtractor`, like the others.
            text_offset (Tensor, optional): (B, 77, 2048) or (1, 77, 2048).
            time_offset (Tensor, optional): (B, T, 1280) or (1, T, 1280).
            pooled_offset (Tensor, optional): Added to the pooled text of the empty caption,
                (B, 1280) or (1, 1280).

        Returns:
            list[Tensor]: As in :class:`StableDiffusionExtractor`.
        """
        return self._forward(images, text_offset, time_offset, pooled_offset)

    def load_text_encoder(self) -> None:
        """Load Stable Diffusion XL's text encoders, to embed captions."""
        self.text_encoder = FrozenTextEncoderXL(*self._text_source, zero_text=self.zero_text)

    def _load(
        self, pretrained: str, with_unet: bool, architecture: dict | None
    ) -> tuple[AutoencoderKL, UNet2DConditionModel | None, dict[str, Tensor]]:
        vae, unet, text, pooled = load_stable_diffusion_xl(
            pretrained, with_unet=with_unet, architecture=architecture)
        return vae, unet, dict(empty_text=text, empty_pooled=pooled)

    def _describe_condition(
        self, unet: UNet2DConditionModel, num_timesteps: int, empty_text: Tensor,
        empty_pooled: Tensor,
    ) -> dict[str, int]:
        condition = super()._describe_condition(unet, num_timesteps, empty_text)
        return dict(condition, pooled_width=empty_pooled.shape[1])

    def _unet_condition(
        self, batch: int, side: int, text_offset: Tensor | None = None,
        time_offset: Tensor | None = None, pooled_offset: Tensor | None = None,
    ) -> dict:
        frozen, steps = self.frozen, len(self.timesteps)
        pooled = frozen.empty_pooled if pooled_offset is None else (
            frozen.empty_pooled + pooled_offset)
        sizes = torch.tensor(  # the original's, of the crop's corner, of what is seen
            [side, side, 0, 0, side, side], device=pooled.device, dtype=pooled.dtype)
        return dict(
            super()._unet_condition(batch, side, text_offset, time_offset),
            added_cond_kwargs=dict(
                text_embeds=pooled.expand(batch, -1).repeat(steps, 1).to(frozen.unet.dtype),
                time_ids=sizes.expand(steps * batch, -1)))
