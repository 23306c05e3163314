"""Inner feature maps of Stable Diffusion 3."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, SD3Transformer2DModel
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...checkpoints.diffusion_transformer import load_stable_diffusion_3
from ..frozen import FrozenNetworks
from .autoencoder import (
    decode_in_parts,
    encode_in_parts,
    images_at_once,
    maps_of_autoencoder,
    stride_of,
    tap_autoencoder,
)
from .feature_extractor import FeatureExtractor, FeatureMap, at_each_noise
from .noise import NUM_TIMESTEPS, add_flow_noise, fixed_noise
from .precision import cast, check_dtype, lay_out, wide
from .taps import Tap, reading
from .text_encoder_3 import FrozenTextEncoder3, join_text
from .token_maps import TokenSizes, Unread, as_maps, listing, named, tap_tokens
from .transformer_blocks import attentions_of


@MODELS.register_module()
class DiffusionTransformerExtractor(FeatureExtractor):
    """Reads the tokens that enter chosen blocks of a frozen Stable Diffusion 3, as maps.

    One pass per timestep, with one fixed noise n for all images: z_t = (1 - t / 1000) z + t / 1000
    n (rectified flow, arXiv 2403.03206). The networks are diffusers' own; what comes after the last
    map that is read is neither run nor kept in memory. The weights get no gradients, the text, the
    embedding of time and pooled text, and the pooled text do.

    The text condition is that of two CLIPs, side by side and padded to the width of T5's, followed
    by T5's. A captioner that learns conditions the CLIPs' part, in its own width; one in words all
    of it, see :class:`FrozenTextEncoder3`.

    Args:
        pretrained (str): Where the weights are: a local folder in diffusers' layout, or a hub id.
        encoder_blocks (Sequence[int] | str): Residual blocks of the VAE encoder's down path,
            counted from 0 through all levels, or 'all'. Defaults to (5, 7).
        transformer_blocks (Sequence[int] | str): Blocks of the transformer, counted from 0, or
            'all'; the input of each is read. Their stride is that of the VAE times the
            transformer's patch size, 16. Empty: no transformer is loaded. Defaults to (6, 12, 18).
        decoder_blocks (Sequence[int] | str): Residual blocks of the VAE decoder's up path, counted
            as the encoder's, of the latent without noise. Defaults to (2, 5).
        attentions (Sequence[str] | str): Maps of the transformer's attention, counted as its
            blocks. Image and text attend jointly, in one softmax. 'self3': how much each cell looks
            at each cell, mean of the heads; a channel per cell, so that images must be of
            ``image_size``. 'cross3': likewise at the text, a channel per token, the CLIPs' 77 and
            then T5's. The channels of both together sum to 1. 'features3': what attention makes of
            the image, before it is gated and added; 'all': those of every block. A second attention
            over the image alone, which some blocks of 3.5 medium have, is not read. Defaults to ().
        timesteps (Sequence[float]): Timesteps from 0, no noise, to 1000, noise only, one pass each;
            a negative one is as 0. Defaults to (0,).
        image_size (int, optional): Side in pixels of the square images; the transformer crops its
            table of positions to it. None: that of its training, 1024. Defaults to None.
        t5_length (int): Tokens of T5's part of the text. Defaults to 256, as in diffusers'
            pipeline.
        with_t5 (bool, optional): Whether T5 makes them; otherwise they are zeros, as in diffusers'
            pipeline. None: if a local folder has ``text_encoder_3/``. Defaults to None.
        with_cp (bool): Recompute the transformer's blocks in the backward pass instead of keeping
            what they compute. Defaults to False.
        dtype (str): As in :class:`StableDiffusionExtractor`. Defaults to 'float32'.
        channels_last (bool, optional): Likewise, of the VAE. Defaults to None.
        vae_pixels (int, optional): Likewise. Defaults to None.

    Raises:
        FileNotFoundError: If a part of the weights is missing; says what is accepted.
        ValueError: If a file is unsafe, broken, or not of a Stable Diffusion 3; there is no such
            map; or an argument is none of what is accepted.
    """

    map_settings = 'encoder_blocks', 'transformer_blocks', 'decoder_blocks', 'attentions'
    noise_setting = 'timesteps'

    def __init__(
        self,
        pretrained: str,
        encoder_blocks: Sequence[int] | str = (5, 7),
        transformer_blocks: Sequence[int] | str = (6, 12, 18),
        decoder_blocks: Sequence[int] | str = (2, 5),
        timesteps: Sequence[float] = (0,),
        image_size: int | None = None,
        t5_length: int = 256,
        with_t5: bool | None = None,
        with_cp: bool = False,
        dtype: str = 'float32',
        channels_last: bool | None = None,
        vae_pixels: int | None = None,
        attentions: Sequence[str] | str = (),
    ) -> None:
        timesteps = tuple(timesteps)
        with named(self):
            check_dtype(dtype)
            _check_timesteps(timesteps)
        vae, transformer, text, t5, pooled = load_stable_diffusion_3(
            pretrained, bool(transformer_blocks or attentions), t5_length, with_t5)
        with named(self):
            image_size = _image_size(vae, transformer, image_size)
            sizes = None if transformer is None else TokenSizes(
                transformer.inner_dim, (image_size // _cell(vae, transformer)) ** 2,
                text.shape[1] + t5.shape[1])
            maps = _tap(
                vae, transformer, encoder_blocks, transformer_blocks, decoder_blocks, attentions,
                sizes, timesteps, with_cp)
        cast(vae, dtype)
        noise = fixed_noise(vae.config.latent_channels, image_size // stride_of(vae))
        states, condition = {}, None
        if transformer is not None:
            cast(transformer, dtype)
            states = {f'empty_{name}': state.to(wide(dtype))
                      for name, state in dict(text=text, t5=t5, pooled=pooled).items()}
            condition = dict(
                text_length=text.shape[1], text_width=text.shape[2],
                time_width=transformer.inner_dim, num_timesteps=len(timesteps),
                pooled_width=pooled.shape[1])
        super().__init__(
            FrozenNetworks(
                prepare=partial(lay_out, channels_last, image_size), vae=vae,
                transformer=transformer, noise=noise.to(wide(dtype)),
                timesteps=torch.tensor(timesteps, device='cpu').clamp(min=0), **states),
            maps, image_size, condition)
        self.timesteps, self.vae_pixels = timesteps, vae_pixels
        self._text_source = pretrained, t5_length, with_t5

    def forward(
        self, images: Tensor, text_offset: Tensor | None = None, time_offset: Tensor | None = None,
        pooled_offset: Tensor | None = None,
    ) -> list[Tensor]:
        """Extract the maps.

        Args:
            images (Tensor): RGB in [0, 1], (B, 3, S, S), S a multiple of the deepest stride.
            text_offset (Tensor, optional): Added to the condition of the empty caption, to the
                CLIPs' part of it, (B, 77, C) or (1, 77, C); or to all of it, (B, 77 + L, J) or
                (1, 77 + L, J).
            time_offset (Tensor, optional): Added to the embedding of time and pooled text,
                (B, T, E) or (1, T, E).
            pooled_offset (Tensor, optional): Added to the pooled text, (B, P) or (1, P).

        Returns:
            list[Tensor]: Maps of the VAE encoder, of the transformer (timestep by timestep), and of
            the VAE decoder, (B, feature_widths[i], S // feature_strides[i],
            S // feature_strides[i]).
        """
        frozen, vae = self.frozen, self.frozen.vae
        with self.own_precision():
            at_once = images_at_once(images, self.vae_pixels)
            mean, encoder_maps = encode_in_parts(vae, images, at_once)
            transformer_maps = []
            if frozen.transformer is not None:
                with reading() as read:
                    self._denoise(mean, text_offset, time_offset, pooled_offset)
                    transformer_maps = as_maps(read, len(self.timesteps))
            return encoder_maps + transformer_maps + decode_in_parts(vae, mean, at_once)

    def load_text_encoder(self) -> None:
        """Load Stable Diffusion 3's text encoders, to embed captions; T5, too, if it is read."""
        self.text_encoder = FrozenTextEncoder3(*self._text_source)

    def add_noise(self, latents: Tensor) -> Tensor:
        """The latents at each timestep, with the noise that all images share.

        Args:
            latents (Tensor): z, scaled, (B, C, h, w).

        Returns:
            Tensor: z_t, timestep by timestep, (T x B, C, h, w).
        """
        return add_flow_noise(latents, self.frozen.noise, self.timesteps)

    def _denoise(
        self, mean: Tensor, text_offset: Tensor | None, time_offset: Tensor | None,
        pooled_offset: Tensor | None,
    ) -> None:
        """Run the transformer over all timesteps at once, for what its taps read."""
        frozen, batch, steps = self.frozen, len(mean), len(self.timesteps)
        transformer, config = frozen.transformer, frozen.vae.config
        latents = mean.to(frozen.noise.dtype) - (config.shift_factor or 0)
        text = join_text(frozen.empty_text, frozen.empty_t5)
        if text_offset is not None:
            text = text + _padded(text_offset, text.shape)
        pooled = frozen.empty_pooled
        if pooled_offset is not None:
            pooled = pooled + pooled_offset
        pooled = pooled.expand(batch, -1).repeat(steps, 1).to(transformer.dtype)
        if time_offset is not None:
            time_offset = time_offset.expand(batch, -1, -1).transpose(0, 1).flatten(0, 1)
        transformer(
            self.add_noise(config.scaling_factor * latents).to(transformer.dtype),
            text.expand(batch, -1, -1).repeat(steps, 1, 1).to(transformer.dtype),
            pooled_projections=(pooled, time_offset),
            timestep=frozen.timesteps.repeat_interleave(batch))


class _TimeTextEmbedding(nn.Module):
    """Adds an offset to the embedding of time and pooled text; both come in place of the latter."""

    def __init__(self, embedding: nn.Module) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, timestep: Tensor, condition: tuple[Tensor, Tensor | None]) -> Tensor:
        pooled, offset = condition
        embedded = self.embedding(timestep, pooled)
        return embedded if offset is None else embedded + offset.to(embedded.dtype)


class _JointEnd(nn.Module):
    """Stands for a block of image and text whose result nothing reads, and reads its input."""

    def __init__(self) -> None:
        super().__init__()
        self.tap = Tap(None)

    def forward(
        self, hidden_states: Tensor, encoder_hidden_states: Tensor, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        return encoder_hidden_states, self.tap(hidden_states)


def _padded(states: Tensor, shape: Sequence[int]) -> Tensor:
    """Text states, (B, L, C), with zeros up to a length and a width."""
    return F.pad(states, (0, shape[2] - states.shape[2], 0, shape[1] - states.shape[1]))


def _tap(
    vae: AutoencoderKL, transformer: SD3Transformer2DModel | None,
    encoder_blocks: Sequence[int] | str, transformer_blocks: Sequence[int] | str,
    decoder_blocks: Sequence[int] | str, attentions: Sequence[str] | str,
    sizes: TokenSizes | None, timesteps: Sequence[float], with_cp: bool,
) -> list[FeatureMap]:
    """Put the taps into the networks, and drop what comes after the last ones."""
    there_is, of_transformer = maps_of_autoencoder(vae), []
    if transformer is not None:
        blocks = transformer.transformer_blocks
        there_is.update(
            transformer_blocks=f'0 to {len(blocks) - 1}', attentions=attentions_of(blocks))
    with listing(there_is):
        of_encoder, of_decoder = tap_autoencoder(vae, encoder_blocks, decoder_blocks)
        if transformer is not None:
            transformer.transformer_blocks, maps = tap_tokens(
                blocks, ('transformer_blocks', transformer_blocks), attentions, sizes, _JointEnd(),
                with_cp)
            _replace_ends(transformer)
            of_transformer = at_each_noise(maps, timesteps, _cell(vae, transformer))
    return of_encoder + of_transformer + of_decoder


def _replace_ends(transformer: SD3Transformer2DModel) -> None:
    """Put the place of an offset into a transformer, and drop what comes after its blocks."""
    transformer.time_text_embed = _TimeTextEmbedding(transformer.time_text_embed)
    transformer.norm_out = Unread(transformer.config.patch_size**2 * transformer.out_channels)
    transformer.proj_out = nn.Identity()


def _cell(vae: AutoencoderKL, transformer: SD3Transformer2DModel) -> int:
    """Pixels per cell of the transformer's grid."""
    return stride_of(vae) * transformer.config.patch_size


def _check_timesteps(timesteps: Sequence[float]) -> None:
    if not timesteps or max(timesteps) > NUM_TIMESTEPS:
        raise ValueError(
            f'timesteps={timesteps}; give at least one, each from 0 (no noise) to {NUM_TIMESTEPS}, '
            'or -1, which is as 0')


def _image_size(
    vae: AutoencoderKL, transformer: SD3Transformer2DModel | None, given: int | None
) -> int:
    """Side of the images; one that the networks cannot take is refused."""
    if transformer is None:
        return given or vae.config.sample_size
    config, cell = transformer.config, _cell(vae, transformer)
    size = given or config.sample_size * stride_of(vae)
    if size % cell or not 0 < size <= config.pos_embed_max_size * cell:
        raise ValueError(
            f'image_size={size}; give a multiple of {cell} up to '
            f'{config.pos_embed_max_size * cell}, for which the transformer has positions')
    return size
