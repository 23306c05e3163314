"""Inner feature maps of Stable Diffusion."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention import FeedForward
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...checkpoints.stable_diffusion import load_stable_diffusion, load_unet_weights
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
from .noise import NUM_TIMESTEPS, add_noise, fixed_noise, scaled_linear_schedule
from .precision import cast, check_dtype, lay_out, wide
from .taps import Recomputed, checkpointed, reading
from .text_encoder import FrozenTextEncoder
from .unet_maps import maps_of_unet, merge_tokens_of, tap_unet


@MODELS.register_module()
class StableDiffusionExtractor(FeatureExtractor):
    """Reads what enters chosen residual blocks of a frozen Stable Diffusion (paper, 3.2).

    One pass per timestep, with one fixed noise for all images. The networks are diffusers' own;
    what comes after the last map that is read is neither run nor kept in memory. The weights get
    no gradients, the text condition and the time embedding do.

    A UNet that was tuned for images without noise (CleanDIFT, arXiv 2412.03439) takes the place of
    the one in ``pretrained``: ``unet_weights='CompVis/cleandift/cleandift_sd21_unet.safetensors',
    noise=False, timesteps=(261,)``. It was given clean latents and, whatever the noise that it was
    to explain, one timestep: a number that was learned from 261 on and is in no file of the UNet.

    Args:
        pretrained (str): Where the weights are: a local folder in diffusers' layout, a single
            ``.ckpt`` or ``.safetensors`` file in CompVis' layout, or a hub id; of Stable Diffusion
            1.x or 2.x.
        encoder_blocks (Sequence[int] | str): Residual blocks of the VAE encoder's down path,
            counted from 0 through all levels, or 'all'. Defaults to (5, 7) (official release).
        unet_blocks (Sequence[int] | str): Residual blocks of the UNet's up path, likewise.
            Defaults to (2, 5, 8, 11) (official release).
        decoder_blocks (Sequence[int] | str): Residual blocks of the VAE decoder's up path,
            likewise, of the latent without noise. Defaults to (2, 5) (official release).
        attentions (Sequence[str] | str): Maps of the UNet's attention, counted from 0 through its
            transformer blocks: down path, middle, up path. 'self3': what each cell looks at in
            self-attention, mean of the heads; a channel per cell of the map, so that images must
            be of ``image_size``. 'cross3': likewise, a channel per token of the text.
            'features3': what self-attention makes, before it is added; 'all': those of every block.
            Defaults to ().
        timesteps (Sequence[int]): Timesteps, one UNet pass each; a negative one means no noise
            and the embedding of timestep 0. Defaults to (0,) (paper).
        noise (bool): Whether latents get their timestep's noise. False: they are left without,
            and the UNet is told the timesteps all the same. Defaults to True.
        unet_weights (str, optional): A state dict that takes the place of the UNet's, of the same
            architecture, in diffusers' names; see :func:`load_unet_weights`. Defaults to None.
        architecture (dict, optional): What a single file does not tell of its architecture, or
            tells otherwise; see :func:`load_stable_diffusion`. Defaults to None.
        with_cp (bool): Recompute the UNet's blocks in the backward pass instead of keeping what
            they compute: less memory, more time, the same numbers. False: the gates of its
            feed-forward layers only, a third of that memory for little time. Defaults to False.
        dtype (str): What the networks compute in, also under autocast, and what the maps are of:
            'float32', 'bfloat16', 'float16' (whose range the VAE may exceed) or 'float64'; or
            'int8' on a CPU: linear layers and convolutions multiply in int8, all else is float32,
            and no gradient passes. The noise is added in float32 or better. Defaults to 'float32'.
        channels_last (bool, optional): Whether the networks keep the channels of a pixel together
            in memory; the maps are the same. None: where that is faster, see :func:`lay_out`.
            Defaults to None.
        vae_pixels (int, optional): How many pixels of all images the VAE sees at once, which bounds
            its memory; an image at least. None: 512 x 512 on a CPU, four times that elsewhere.
            Defaults to None.
        compile (bool | dict): Whether torch compiles the networks, level by level, when they first
            see a number of images: minutes, then faster; or the arguments of ``torch.compile``, as
            mmengine's own ``compile``. Defaults to False.
        image_size (int, optional): Side in pixels of the images that it is given. One that the
            generator was not made for changes what its attention looks at once, and its maps; the
            noise is the fixed one of that size. None: the generator's own. Defaults to None.
        merge_tokens (float): Share of the tokens that are merged for the self-attention of the
            UNet's largest maps, an approximation, see :class:`MergedAttention`; 0 to 0.75. Defaults
            to 0.0, none.
        merge_levels (int): In how many levels of the UNet, from the largest map on. Defaults to 1.

    Raises:
        FileNotFoundError: If a part of the weights is missing; says what is accepted.
        ValueError: If a file is unsafe, broken, or not of a Stable Diffusion; there is no such
            map; or an argument is none of what is accepted.
    """

    map_settings = 'encoder_blocks', 'unet_blocks', 'decoder_blocks', 'attentions'
    noise_setting = 'timesteps'

    def __init__(
        self,
        pretrained: str,
        encoder_blocks: Sequence[int] | str = (5, 7),
        unet_blocks: Sequence[int] | str = (2, 5, 8, 11),
        decoder_blocks: Sequence[int] | str = (2, 5),
        timesteps: Sequence[int] = (0,),
        architecture: dict | None = None,
        with_cp: bool = False,
        dtype: str = 'float32',
        channels_last: bool | None = None,
        vae_pixels: int | None = None,
        compile: bool | dict = False,
        attentions: Sequence[str] | str = (),
        noise: bool = True,
        unet_weights: str | None = None,
        image_size: int | None = None,
        merge_tokens: float = 0.0,
        merge_levels: int = 1,
    ) -> None:
        self._check(dtype, timesteps, compile)
        vae, unet, empty = self._load(
            pretrained, with_unet=bool(unet_blocks or attentions), architecture=architecture)
        if unet_weights is not None:
            self._put_weights(unet, unet_weights)
        image_size = self._set_size(vae, unet, image_size)
        if merge_tokens:
            self._merge_tokens(unet, merge_tokens, merge_levels)
        maps = self._tap(
            vae, unet, empty, encoder_blocks, unet_blocks, decoder_blocks, attentions, timesteps)
        condition = None
        if unet is not None:
            condition = self._describe_condition(unet, len(timesteps), **empty)
            if with_cp:
                unet.enable_gradient_checkpointing(checkpointed)
            else:
                _recompute_gates(unet)
        for network in filter(None, (vae, unet)):
            cast(network, dtype)
        noise_map = fixed_noise(vae.config.latent_channels, image_size // stride_of(vae))
        super().__init__(
            FrozenNetworks(
                vae=vae, unet=unet, noise=noise_map.to(wide(dtype)),
                **{name: state.to(wide(dtype)) for name, state in empty.items()},
                timesteps=torch.tensor(timesteps, device='cpu').clamp(min=0),
                prepare=partial(_prepare, channels_last, image_size, compile)),
            maps, image_size, condition)
        self.timesteps = tuple(timesteps)
        self.noise = noise
        self._text_source = pretrained, architecture
        self.vae_pixels = vae_pixels
        self._compiled = compile is not False
        self._alphas = scaled_linear_schedule().tolist()

    @classmethod
    def _check(cls, dtype: str, timesteps: Sequence[int], compile: bool | dict) -> None:
        try:
            check_dtype(dtype)
        except ValueError as error:
            raise ValueError(f'{cls.__name__}: {error}') from None
        if dtype == 'int8' and compile is not False:
            raise ValueError(f"{cls.__name__}: dtype='int8' is not compiled; leave out compile")
        if beyond := [timestep for timestep in timesteps if timestep >= NUM_TIMESTEPS]:
            raise ValueError(
                f'{cls.__name__}: timesteps={tuple(timesteps)}: there is no {beyond[0]}; give 0 to '
                f'{NUM_TIMESTEPS - 1}, or -1')

    def _load(
        self, pretrained: str, with_unet: bool, architecture: dict | None
    ) -> tuple[AutoencoderKL, UNet2DConditionModel | None, dict[str, Tensor]]:
        """The VAE, the UNet, and what the text encoders make of the empty caption, by names."""
        vae, unet, text = load_stable_diffusion(
            pretrained, with_unet=with_unet, architecture=architecture)
        return vae, unet, dict(empty_text=text)

    def _set_size(
        self, vae: AutoencoderKL, unet: UNet2DConditionModel | None, size: int | None
    ) -> int:
        """The side of the images, which the UNet is told."""
        stride = stride_of(vae)
        if size is None:
            return vae.config.sample_size if unet is None else unet.config.sample_size * stride
        deepest = stride if unet is None else stride * 2 ** (len(unet.down_blocks) - 1)
        if size < deepest or size % deepest:
            raise ValueError(
                f'{type(self).__name__}: image_size={size}; give a multiple of {deepest}, the '
                'stride of the smallest map')
        if unet is not None:
            unet.register_to_config(sample_size=size // stride)
        return size

    def _merge_tokens(self, unet: UNet2DConditionModel | None, ratio: float, levels: int) -> None:
        try:
            if unet is None:
                raise ValueError(
                    f'merge_tokens={ratio}: nothing of the UNet is read; leave it out, or choose '
                    'unet_blocks')
            merge_tokens_of(unet, ratio, levels)
        except ValueError as error:
            raise ValueError(f'{type(self).__name__}: {error}') from None

    def _describe_condition(
        self, unet: UNet2DConditionModel, num_timesteps: int, empty_text: Tensor
    ) -> dict[str, int]:
        """What a captioner must deliver, see :class:`FeatureExtractor`."""
        return dict(
            text_length=empty_text.shape[1], text_width=empty_text.shape[2],
            time_width=4 * unet.config.block_out_channels[0], num_timesteps=num_timesteps)

    def _put_weights(self, unet: UNet2DConditionModel | None, path: str) -> None:
        try:
            if unet is None:
                raise ValueError('nothing of the UNet is read; leave it out, or choose unet_blocks')
            load_unet_weights(unet, path)
        except (FileNotFoundError, ValueError) as error:
            kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
            raise kind(f'{type(self).__name__}: unet_weights={path!r}: {error}') from error

    def _tap(
        self, vae: AutoencoderKL, unet: UNet2DConditionModel | None, empty: Mapping[str, Tensor],
        encoder_blocks: Sequence[int] | str, unet_blocks: Sequence[int] | str,
        decoder_blocks: Sequence[int] | str, attentions: Sequence[str] | str,
        timesteps: Sequence[int],
    ) -> list[FeatureMap]:
        """Put the taps into the networks, and drop what comes after the last ones."""
        there_is = maps_of_autoencoder(vae) | ({} if unet is None else maps_of_unet(unet))
        try:
            of_encoder, of_decoder = tap_autoencoder(vae, encoder_blocks, decoder_blocks)
            of_unet = [] if unet is None else tap_unet(
                unet, unet_blocks, attentions, empty['empty_text'].shape[1])
        except ValueError as error:
            raise ValueError(
                f'{type(self).__name__}: {error}. There are: '
                + '; '.join(f'{setting} {values}' for setting, values in there_is.items())
            ) from None
        return of_encoder + at_each_noise(of_unet, timesteps, stride_of(vae)) + of_decoder

    def forward(
        self, images: Tensor, text_offset: Tensor | None = None, time_offset: Tensor | None = None
    ) -> list[Tensor]:
        """Extract the maps.

        Args:
            images (Tensor): RGB in [0, 1], (B, 3, S, S), S a multiple of the deepest stride.
            text_offset (Tensor, optional): Added to the condition of the empty caption,
                (B, L, C) or (1, L, C).
            time_offset (Tensor, optional): Added to the time embedding, (B, T, E) or (1, T, E).

        Returns:
            list[Tensor]: Maps of the VAE encoder, of the UNet (timestep by timestep), and of the
            VAE decoder, (B, feature_widths[i], S // feature_strides[i], S // feature_strides[i]).
        """
        return self._forward(images, text_offset, time_offset)

    def _forward(self, images: Tensor, *condition: Tensor | None) -> list[Tensor]:
        with self.own_precision():
            return self._extract(images, condition)

    def _extract(self, images: Tensor, condition: Sequence[Tensor | None]) -> list[Tensor]:
        frozen = self.frozen
        vae, batch = frozen.vae, len(images)
        at_once = images_at_once(images, self.vae_pixels)
        mean, encoder_maps = encode_in_parts(vae, images, at_once, self._compiled)
        unet_maps = []
        if frozen.unet is not None:
            latents = vae.config.scaling_factor * mean.to(frozen.noise.dtype)  # (B, 4, S/8, S/8)
            with reading(self._compiled) as read:
                self._denoise(latents, images.shape[-1], condition)
                maps = [m.unflatten(0, (-1, batch)) for m in read]  # each (T, B, C, h, w)
            unet_maps = [m[t] for t in range(len(self.timesteps)) for m in maps]
        decoder_maps = decode_in_parts(vae, mean, at_once, self._compiled)
        return encoder_maps + unet_maps + decoder_maps

    def load_text_encoder(self) -> None:
        """Load Stable Diffusion's text encoder, to embed captions."""
        self.text_encoder = FrozenTextEncoder(*self._text_source)

    def add_noise(self, latents: Tensor) -> Tensor:
        """The latents at each timestep, with the noise that all images share.

        Args:
            latents (Tensor): z, scaled, (B, 4, h, w).

        Returns:
            Tensor: z_t, timestep by timestep, (T x B, 4, h, w).
        """
        timesteps = self.timesteps if self.noise else [-1] * len(self.timesteps)
        return add_noise(latents, self.frozen.noise, timesteps, self._alphas)

    def _denoise(
        self, latents: Tensor, side: int, condition: Sequence[Tensor | None]
    ) -> None:
        """Run the UNet over all timesteps at once, for what its taps read."""
        frozen = self.frozen
        unet, batch = frozen.unet, len(latents)
        unet(
            self.add_noise(latents).to(unet.dtype),
            frozen.timesteps.repeat_interleave(batch),
            **self._unet_condition(batch, side, *condition),
        )

    def _unet_condition(
        self, batch: int, side: int, text_offset: Tensor | None = None,
        time_offset: Tensor | None = None,
    ) -> dict:
        """What the UNet is told of images of ``side`` x ``side`` pixels, timestep by timestep."""
        frozen, steps = self.frozen, len(self.timesteps)
        text = frozen.empty_text if text_offset is None else frozen.empty_text + text_offset
        text = text.expand(batch, -1, -1).repeat(steps, 1, 1)  # (T x B, L, C)
        if time_offset is None:
            time_offset = text.new_zeros(1, steps, self.condition['time_width'])
        time = time_offset.expand(batch, -1, -1).transpose(0, 1).flatten(0, 1)  # (T x B, E)
        return dict(
            encoder_hidden_states=text.to(frozen.unet.dtype),
            class_labels=time.to(frozen.unet.dtype))  # added to the time embedding after its MLP


def _prepare(
    channels_last: bool | None, image_size: int, compile: bool | dict, frozen: FrozenNetworks
) -> None:
    lay_out(channels_last, image_size, frozen)
    if compile is False:
        return
    options = {} if compile is True else compile
    # sizes left open, or the UNet as a whole: torch 2.13 fails, or has wrong gradients
    for level in _levels(frozen.vae.encoder, frozen.unet, frozen.vae.decoder):
        level.compile(**{'dynamic': False, **options})


def _levels(*networks: nn.Module | None) -> list[nn.Module]:
    """The down and up blocks of networks: all but the coarsest level, whose share is small."""
    return [block for network in networks for path in ('down_blocks', 'up_blocks')
            for block in getattr(network, path, ())]


def _recompute_gates(unet: nn.Module) -> None:
    """Keep nothing of the gated activations: 12 times the memory of what they start from."""
    for layer in unet.modules():
        if isinstance(layer, FeedForward):
            layer.net[0] = Recomputed(layer.net[0])
