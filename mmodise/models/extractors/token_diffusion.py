"""Inner feature maps of aMUSEd, a generator of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from diffusers import UVit2DModel, VQModel
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...checkpoints.token_diffusion import load_amused
from ..frozen import FrozenNetworks
from .autoencoder import (
    images_at_once,
    maps_of_autoencoder,
    run_in_parts,
    stride_of,
    tap_autoencoder,
)
from .feature_extractor import FeatureExtractor, FeatureMap, at_each_noise
from .precision import cast, check_dtype, lay_out, wide
from .taps import Skip, Tap, reading
from .text_encoder_amused import FrozenTextEncoderAmused
from .token_maps import TokenSizes, Unread, as_maps, listing, named, tap_tokens
from .transformer_blocks import attentions_of

_AESTHETIC_SCORE = 6  # of the pictures that diffusers' pipeline asks for by default


@MODELS.register_module()
class TokenDiffusionExtractor(FeatureExtractor):
    """Reads the tokens that enter chosen layers of a frozen aMUSEd, as maps.

    A VQ model makes tokens of an image, of which a share is masked, which is the noise of discrete
    diffusion (aMUSEd, arXiv 2401.01808). One pass per share; the order in which cells are masked is
    random and the same for all images, so that a larger share masks what a smaller one does, and
    more. The networks are diffusers' own; what comes after the last map that is read is neither run
    nor kept in memory. The weights get no gradients, the text and the pooled text do. There is no
    embedding of time.

    Args:
        pretrained (str): Where the weights are: a local folder in diffusers' layout, or a hub id.
        encoder_blocks (Sequence[int] | str): Residual blocks of the VQ encoder's down path,
            counted from 0 through all levels, or 'all'. Defaults to (5, 7).
        transformer_layers (Sequence[int] | str): Layers of the transformer, counted from 0, or
            'all'; the input of each is read. Their stride is that of the tokens, 16, or twice that
            where the transformer halves their grid. Empty: no transformer is loaded. Defaults to
            (5, 11, 17).
        attentions (Sequence[str] | str): Maps of the transformer's attention, counted as its
            layers: 'self3', 'cross3' and 'features3', or 'all', as in
            :class:`StableDiffusionExtractor`. Defaults to ().
        mask_shares (Sequence[float]): Shares of masked tokens, from 0 to 1, one pass each; their
            number is rounded. Defaults to (0.0,).
        image_size (int, optional): Side in pixels of the square images. None: that of the
            transformer's training. Defaults to None.
        with_cp (bool): Recompute the transformer's layers in the backward pass instead of keeping
            what they compute. Defaults to False.
        dtype (str): As in :class:`StableDiffusionExtractor`; in 'float16' a VQ model that says so,
            as aMUSEd's does, stays in float32. Defaults to 'float32'.
        channels_last (bool, optional): Likewise, of the VQ model. Defaults to None.
        vae_pixels (int, optional): Likewise. Defaults to None.

    Raises:
        FileNotFoundError: If a part of the weights is missing; says what is accepted.
        ValueError: If a file is unsafe, broken, or not of an aMUSEd; there is no such map; or an
            argument is none of what is accepted.
    """

    map_settings = 'encoder_blocks', 'transformer_layers', 'attentions'
    noise_setting = 'mask_shares'

    def __init__(
        self,
        pretrained: str,
        encoder_blocks: Sequence[int] | str = (5, 7),
        transformer_layers: Sequence[int] | str = (5, 11, 17),
        mask_shares: Sequence[float] = (0.0,),
        image_size: int | None = None,
        with_cp: bool = False,
        dtype: str = 'float32',
        channels_last: bool | None = None,
        vae_pixels: int | None = None,
        attentions: Sequence[str] | str = (),
    ) -> None:
        mask_shares = tuple(mask_shares)
        with named(self):
            check_dtype(dtype)
            _check_shares(mask_shares)
        vqvae, transformer, text, pooled, mask_token = load_amused(
            pretrained, with_transformer=bool(transformer_layers or attentions))
        with named(self):
            image_size = _image_size(vqvae, transformer, image_size)
            sizes = None if transformer is None else TokenSizes(
                transformer.config.hidden_size, (image_size // _cell(vqvae, transformer)) ** 2,
                text.shape[1])
            maps = _tap(
                vqvae, transformer, encoder_blocks, transformer_layers, attentions, sizes,
                mask_shares, with_cp)
        upcast = dtype == 'float16' and vqvae.config.force_upcast
        cast(vqvae, 'float32' if upcast else dtype)
        vqvae.quantize.to(wide(dtype))  # distances to codes
        states, condition = {}, None
        if transformer is not None:
            cast(transformer, dtype)
            states = dict(empty_text=text.to(wide(dtype)), empty_pooled=pooled.to(wide(dtype)))
            condition = dict(
                text_length=text.shape[1], text_width=text.shape[2], time_width=None,
                num_timesteps=len(mask_shares), pooled_width=pooled.shape[1])
        super().__init__(
            FrozenNetworks(
                prepare=partial(lay_out, channels_last, image_size), vqvae=vqvae,
                transformer=transformer, **states),
            maps, image_size, condition)
        self.mask_shares, self.vae_pixels = mask_shares, vae_pixels
        self.mask_token = mask_token
        self._text_source = pretrained

    def forward(
        self, images: Tensor, text_offset: Tensor | None = None, time_offset: None = None,
        pooled_offset: Tensor | None = None,
    ) -> list[Tensor]:
        """Extract the maps.

        Args:
            images (Tensor): RGB in [0, 1], (B, 3, S, S), S a multiple of the deepest stride.
            text_offset (Tensor, optional): Added to the condition of the empty caption, (B, L, C)
                or (1, L, C).
            time_offset (None): There is no time.
            pooled_offset (Tensor, optional): Added to the pooled text, (B, P) or (1, P).

        Returns:
            list[Tensor]: Maps of the VQ encoder, and of the transformer (share by share),
            (B, feature_widths[i], S // feature_strides[i], S // feature_strides[i]).
        """
        frozen, vqvae = self.frozen, self.frozen.vqvae
        with self.own_precision():
            tokens, encoder_maps = run_in_parts(
                lambda part: _tokens(vqvae, part), images.to(vqvae.dtype),
                images_at_once(images, self.vae_pixels))
            if frozen.transformer is None:
                return encoder_maps
            with reading() as read:
                self._unmask(torch.cat(tokens), images.shape[-1], text_offset, pooled_offset)
                return encoder_maps + as_maps(read, len(self.mask_shares))

    def load_text_encoder(self) -> None:
        """Load aMUSEd's text encoder, to embed captions."""
        self.text_encoder = FrozenTextEncoderAmused(self._text_source)

    def mask(self, tokens: Tensor) -> Tensor:
        """The tokens with each share of them masked, in the order that all images share.

        Args:
            tokens (Tensor): (B, h, w).

        Returns:
            Tensor: Share by share, (T x B, h, w).
        """
        generator, (height, width) = torch.Generator('cpu').manual_seed(42), tokens.shape[-2:]
        order = torch.randperm(height * width, generator=generator, device='cpu')
        ranks = order.argsort().view(height, width).to(tokens.device)
        return torch.cat([
            tokens.masked_fill(ranks < round(share * ranks.numel()), self.mask_token)
            for share in self.mask_shares])

    def _unmask(
        self, tokens: Tensor, side: int, text_offset: Tensor | None, pooled_offset: Tensor | None
    ) -> None:
        """Run the transformer over all shares at once, for what its taps read."""
        frozen, batch, passes = self.frozen, len(tokens), len(self.mask_shares)
        dtype, text, pooled = frozen.transformer.dtype, frozen.empty_text, frozen.empty_pooled
        if text_offset is not None:
            text = text + text_offset
        if pooled_offset is not None:
            pooled = pooled + pooled_offset
        # width and height of the original, left and top of the crop
        sizes = pooled.new_tensor([side, side, 0, 0, _AESTHETIC_SCORE])
        frozen.transformer(
            self.mask(tokens),
            text.expand(batch, -1, -1).repeat(passes, 1, 1).to(dtype),
            pooled.expand(batch, -1).repeat(passes, 1).to(dtype),
            sizes.expand(passes * batch, -1))


def _tokens(vqvae: VQModel, images: Tensor) -> Tensor:
    """Numbers of the codes that are nearest, (B, h, w)."""
    latents = vqvae.encode(images).latents.to(vqvae.quantize.embedding.weight.dtype)
    return vqvae.quantize(latents)[2][2].view(-1, *latents.shape[-2:])


def _tap(
    vqvae: VQModel, transformer: UVit2DModel | None, encoder_blocks: Sequence[int] | str,
    layers: Sequence[int] | str, attentions: Sequence[str] | str, sizes: TokenSizes | None,
    shares: Sequence[float], with_cp: bool,
) -> list[FeatureMap]:
    """Put the taps into the networks, and drop what comes after the last ones."""
    there_is = {'encoder_blocks': maps_of_autoencoder(vqvae)['encoder_blocks']}
    of_transformer = []
    if transformer is not None:
        blocks = transformer.transformer_layers
        there_is.update(
            transformer_layers=f'0 to {len(blocks) - 1}', attentions=attentions_of(blocks))
    with listing(there_is):
        of_encoder, _ = tap_autoencoder(vqvae, encoder_blocks, ())
        if transformer is not None:
            transformer.transformer_layers, maps = tap_tokens(
                blocks, ('transformer_layers', layers), attentions, sizes, Tap(None), with_cp)
            _drop_end(transformer)
            of_transformer = at_each_noise(maps, shares, _cell(vqvae, transformer))
    return of_encoder + of_transformer


def _drop_end(transformer: UVit2DModel) -> None:
    """Drop a transformer's up path and its end."""
    transformer.project_from_hidden_norm = Unread(transformer.config.block_out_channels)
    transformer.project_from_hidden = transformer.mlm_layer = nn.Identity()
    transformer.up_block = Skip()


def _cell(vqvae: VQModel, transformer: UVit2DModel) -> int:
    """Pixels per cell of the transformer's grid."""
    return stride_of(vqvae) * (2 if transformer.config.downsample else 1)


def _check_shares(shares: Sequence[float]) -> None:
    if not shares or not all(0 <= share <= 1 for share in shares):
        raise ValueError(
            f'mask_shares={shares}; give at least one, each from 0 (no token is masked) to 1 (all '
            'are)')


def _image_size(vqvae: VQModel, transformer: UVit2DModel | None, given: int | None) -> int:
    """Side of the images; one that the networks cannot take is refused."""
    if transformer is None:
        if given is None:
            raise ValueError('no layer of the transformer is read, which tells the size of the '
                             'images; give image_size')
        return given
    size = given or transformer.config.sample_size * stride_of(vqvae)
    if size % (cell := _cell(vqvae, transformer)):
        raise ValueError(f'image_size={size}; give a multiple of {cell}')
    return size
