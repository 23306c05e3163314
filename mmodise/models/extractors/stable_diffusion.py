"""Inner feature maps of Stable Diffusion."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention import FeedForward
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...checkpoints.stable_diffusion import load_stable_diffusion
from ..frozen import FrozenNetworks
from .feature_extractor import FeatureExtractor, FeatureMap
from .noise import add_noise, fixed_noise, scaled_linear_schedule
from .taps import Recomputed, Skip, Tap, checkpointed, reading

_DTYPES = ('float32', 'bfloat16', 'float16', 'float64')
# of all images that the VAE sees at once, by kind of device: one of Stable Diffusion's own size
# keeps a CPU busy, and takes 0.5 GiB for a map
_VAE_PIXELS = dict(cpu=512**2)
_VAE_PIXELS_ELSEWHERE = 4 * 512**2


@MODELS.register_module()
class StableDiffusionExtractor(FeatureExtractor):
    """Reads what enters chosen residual blocks of a frozen Stable Diffusion (paper, 3.2).

    One pass per timestep, with one fixed noise for all images. The networks are diffusers' own;
    what comes after the last map that is read is neither run nor kept in memory. The weights get
    no gradients, the text condition and the time embedding do.

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
        timesteps (Sequence[int]): Timesteps, one UNet pass each; a negative one means no noise
            and the embedding of timestep 0. Defaults to (0,) (paper).
        architecture (dict, optional): What a single file does not tell of its architecture, or
            tells otherwise; see :func:`load_stable_diffusion`. Defaults to None.
        with_cp (bool): Recompute the UNet's blocks in the backward pass instead of keeping what
            they compute: less memory, more time, the same numbers. False: the gates of its
            feed-forward layers only, a third of that memory for little time. Defaults to False.
        dtype (str): What the networks compute in, also under autocast, and what the maps are of:
            'float32', 'bfloat16', 'float16' (whose range the VAE may exceed) or 'float64'. The
            noise is added in float32 or better. Defaults to 'float32'.
        channels_last (bool): Whether the networks keep the channels of a pixel together in memory,
            which some machines are faster with; the maps are the same. Defaults to False.
        vae_pixels (int, optional): How many pixels of all images the VAE sees at once, which bounds
            its memory; an image at least. None: 512 x 512 on a CPU, four times that elsewhere.
            Defaults to None.
        compile (bool | dict): Whether torch compiles the networks, level by level, when they first
            see a number of images: minutes, then faster; or the arguments of ``torch.compile``, as
            mmengine's own ``compile``. Defaults to False.

    Raises:
        FileNotFoundError: If a part of the weights is missing; says what is accepted.
        ValueError: If a file is unsafe, broken, or not of a Stable Diffusion; or ``dtype`` is none
            of these.
    """

    map_settings = 'encoder_blocks', 'unet_blocks', 'decoder_blocks'
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
        channels_last: bool = False,
        vae_pixels: int | None = None,
        compile: bool | dict = False,
    ) -> None:
        if dtype not in _DTYPES:
            raise ValueError(
                f'StableDiffusionExtractor: dtype={dtype!r}; give one of {", ".join(_DTYPES)}')
        vae, unet, empty_text = load_stable_diffusion(
            pretrained, with_unet=bool(unet_blocks), architecture=architecture)
        maps, condition, image_size = _describe(
            vae, unet, encoder_blocks, unet_blocks, decoder_blocks, timesteps)
        if unet_blocks:
            _drop_rest(unet)
            if with_cp:
                unet.enable_gradient_checkpointing(checkpointed)
            else:
                _recompute_gates(unet)
            condition.update(text_length=empty_text.shape[1], text_width=empty_text.shape[2])
        if decoder_blocks:
            _drop_rest(vae.decoder)
        else:
            vae.decoder = vae.post_quant_conv = None
        for network in filter(None, (vae, unet)):
            nn.Module.to(  # diffusers' own warns of every cast
                network, dtype=getattr(torch, dtype),
                memory_format=torch.channels_last if channels_last else torch.preserve_format)
        wide = torch.float64 if dtype == 'float64' else torch.float32
        latent_size = image_size // _vae_stride(vae)
        super().__init__(
            FrozenNetworks(
                vae=vae, unet=unet, empty_text=empty_text.to(wide),
                noise=fixed_noise(vae.config.latent_channels, latent_size).to(wide),
                timesteps=torch.tensor(timesteps, device='cpu').clamp(min=0),
                prepare=None if compile is False else partial(
                    _compile, {} if compile is True else compile)),
            maps, image_size, condition or None)
        self.timesteps = tuple(timesteps)
        self.vae_pixels = vae_pixels
        self._compiled = compile is not False
        self._alphas = scaled_linear_schedule().tolist()

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
        with self.own_precision():
            return self._forward(images, text_offset, time_offset)

    def _forward(
        self, images: Tensor, text_offset: Tensor | None, time_offset: Tensor | None
    ) -> list[Tensor]:
        frozen = self.frozen
        vae, batch = frozen.vae, len(images)
        pixels = self.vae_pixels or _VAE_PIXELS.get(images.device.type, _VAE_PIXELS_ELSEWHERE)
        at_once = max(1, pixels // images[0, 0].numel())
        inputs = (2 * images - 1).to(vae.dtype)
        means, encoder_maps = _in_parts(  # never samples
            lambda part: vae.encode(part).latent_dist.mean, inputs, at_once, self._compiled)
        mean, unet_maps, decoder_maps = torch.cat(means), [], []
        if frozen.unet is not None:
            latents = vae.config.scaling_factor * mean.to(frozen.noise.dtype)  # (B, 4, S/8, S/8)
            with reading(self._compiled) as read:
                self._denoise(latents, text_offset, time_offset)
                maps = [m.unflatten(0, (-1, batch)) for m in read]  # each (T, B, C, h, w)
            unet_maps = [m[t] for t in range(len(self.timesteps)) for m in maps]
        if vae.decoder is not None:
            def decode(latents: Tensor) -> None:  # what it ends in is not kept
                vae.decode(latents, return_dict=False)

            _, decoder_maps = _in_parts(decode, mean, at_once, self._compiled)
        return encoder_maps + unet_maps + decoder_maps

    def add_noise(self, latents: Tensor) -> Tensor:
        """The latents at each timestep, with the noise that all images share.

        Args:
            latents (Tensor): z, scaled, (B, 4, h, w).

        Returns:
            Tensor: z_t, timestep by timestep, (T x B, 4, h, w).
        """
        return add_noise(latents, self.frozen.noise, self.timesteps, self._alphas)

    def _denoise(
        self, latents: Tensor, text_offset: Tensor | None, time_offset: Tensor | None
    ) -> None:
        """Run the UNet over all timesteps at once, for what its taps read."""
        frozen = self.frozen
        unet, batch, steps = frozen.unet, len(latents), len(self.timesteps)
        text = frozen.empty_text if text_offset is None else frozen.empty_text + text_offset
        text = text.expand(batch, -1, -1).repeat(steps, 1, 1)  # (T x B, L, C)
        if time_offset is None:
            time_offset = text.new_zeros(1, steps, self.condition['time_width'])
        time = time_offset.expand(batch, -1, -1).transpose(0, 1).flatten(0, 1)  # (T x B, E)
        unet(
            self.add_noise(latents).to(unet.dtype),
            frozen.timesteps.repeat_interleave(batch),
            encoder_hidden_states=text.to(unet.dtype),
            class_labels=time.to(unet.dtype),  # added to the time embedding after its MLP
        )


@torch.no_grad()
def _in_parts(
    run: Callable[[Tensor], Tensor | None], inputs: Tensor, at_once: int, compiled: bool
) -> tuple[list[Tensor | None], list[Tensor]]:
    """Run what needs no gradient on a few images at a time: the results, and the taps' maps."""
    results, maps = [], []
    for part in inputs.split(at_once):
        with reading(compiled) as read:
            results.append(run(part))
            maps.append(list(read))
    if len(maps) == 1:
        return results, maps[0]
    return results, [torch.cat(parts) for parts in zip(*maps, strict=True)]


def _vae_stride(vae: AutoencoderKL) -> int:
    return 2 ** (len(vae.config.block_out_channels) - 1)


def _describe(
    vae: AutoencoderKL, unet: UNet2DConditionModel | None, encoder_blocks: Sequence[int] | str,
    unet_blocks: Sequence[int] | str, decoder_blocks: Sequence[int] | str,
    timesteps: Sequence[int],
) -> tuple[list[FeatureMap], dict[str, int], int]:
    """Put the taps into the networks; the maps, the condition without its text, the image size."""
    stride = _vae_stride(vae)
    maps = [FeatureMap(f'encoder{block}', width, 2**level, ('encoder_blocks', block))
            for block, level, width in _tap(vae.encoder.down_blocks, encoder_blocks)]
    condition, image_size = {}, vae.config.sample_size
    if unet is not None:
        widths = unet.config.block_out_channels
        deepest = stride * 2 ** (len(widths) - 1)
        condition = dict(time_width=4 * widths[0], num_timesteps=len(timesteps))
        image_size = unet.config.sample_size * stride
        middle = _tap(unet.up_blocks, unet_blocks)
        maps += [FeatureMap(f'unet{block}' + f'.{t}' * (len(timesteps) > 1), width,
                            deepest // 2**level, ('unet_blocks', block), timestep)
                 for t, timestep in enumerate(timesteps) for block, level, width in middle]
    maps += [FeatureMap(f'decoder{block}', width, stride // 2**level, ('decoder_blocks', block))
             for block, level, width in _tap(vae.decoder.up_blocks, decoder_blocks)]
    return maps, condition, image_size


def _compile(options: dict, frozen: FrozenNetworks) -> None:
    # sizes left open, or the UNet as a whole: torch 2.13 fails, or has wrong gradients
    for level in _levels(frozen.vae.encoder, frozen.unet, frozen.vae.decoder):
        level.compile(**{'dynamic': False, **options})


def _levels(*networks: nn.Module | None) -> list[nn.Module]:
    """The down and up blocks of networks: all but the coarsest level, whose share is small."""
    return [block for network in networks for path in ('down_blocks', 'up_blocks')
            for block in getattr(network, path, ())]


def _tap(levels: nn.ModuleList, blocks: Sequence[int] | str) -> list[tuple[int, int, int]]:
    """Put taps before residual blocks; returns number, level and input width of each."""
    places = [(level, i) for level, part in enumerate(levels) for i in range(len(part.resnets))]
    found = []
    for block in range(len(places)) if blocks == 'all' else sorted(blocks):
        if not 0 <= block < len(places):
            raise ValueError(
                f'StableDiffusionExtractor: there is no residual block {block}; the blocks are '
                f'0 to {len(places) - 1}'
            )
        level, i = places[block]
        inner = levels[level].resnets[i]
        found.append((block, level, inner.in_channels))
        levels[level].resnets[i] = Tap(inner)
    return found


def _recompute_gates(unet: nn.Module) -> None:
    """Keep nothing of the gated activations: 12 times the memory of what they start from."""
    for layer in unet.modules():
        if isinstance(layer, FeedForward):
            layer.net[0] = Recomputed(layer.net[0])


def _drop_rest(network: nn.Module) -> None:
    """Take away what a network with an up path computes after its last tap."""
    levels = network.up_blocks
    level, i = max(
        (level, i) for level, part in enumerate(levels) for i, block in enumerate(part.resnets)
        if isinstance(block, Tap)
    )
    last = levels[level]
    last.resnets = last.resnets[: i + 1]
    last.resnets[i].block = None
    last.upsamplers = None
    if getattr(last, 'attentions', None) is not None:
        last.attentions = nn.ModuleList([*last.attentions[:i], Skip()])
    network.up_blocks = levels[: level + 1]
    network.conv_norm_out = network.conv_act = network.conv_out = nn.Identity()
