"""Inner feature maps of Stable Diffusion."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from diffusers.models.attention import FeedForward
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...checkpoints.stable_diffusion.loading import load_stable_diffusion
from ..frozen import FrozenModule, Shared
from .taps import Recomputed, Skip, Tap, checkpointed

_DTYPES = ('float32', 'bfloat16', 'float16')
# of all images that the VAE sees at once: one of Stable Diffusion's own size keeps any machine
# busy, and takes 0.5 GiB for a map
_VAE_PIXELS = 512**2


def noise_schedule(num_timesteps: int = 1000) -> Tensor:
    """a_t of z_t = sqrt(a_t) z + sqrt(1 - a_t) n (method of Stable Diffusion 1.x).

    Returns:
        Tensor: The cumulative product of 1 - beta, beta = linspace(sqrt 0.00085, sqrt 0.012)^2,
        float64, (num_timesteps,).
    """
    start, end = math.sqrt(0.00085), math.sqrt(0.012)
    betas = torch.linspace(start, end, num_timesteps, dtype=torch.float64, device='cpu') ** 2
    return (1 - betas).cumprod(0)


@MODELS.register_module()
class StableDiffusionExtractor(FrozenModule):
    """Reads what enters chosen residual blocks of a frozen Stable Diffusion (paper, 3.2).

    One pass per timestep, with one fixed noise for all images. The networks are diffusers' own;
    what comes after the last map that is read is neither run nor kept in memory. The weights get
    no gradients, the text condition and the time embedding do.

    Args:
        pretrained (str): Where the weights are: a local folder in diffusers' layout, a single
            ``.ckpt`` or ``.safetensors`` file in CompVis' layout, or a hub id; of Stable Diffusion
            1.x or 2.x.
        encoder_blocks (Sequence[int]): Residual blocks of the VAE encoder's down path, counted
            from 0 through all levels. Defaults to (5, 7) (official release).
        unet_blocks (Sequence[int]): Residual blocks of the UNet's up path, counted likewise.
            Defaults to (2, 5, 8, 11) (official release).
        decoder_blocks (Sequence[int]): Residual blocks of the VAE decoder's up path, counted
            likewise, of the latent without noise. Defaults to (2, 5) (official release).
        timesteps (Sequence[int]): Timesteps, one UNet pass each; a negative one means no noise
            and the embedding of timestep 0. Defaults to (0,) (paper).
        architecture (dict, optional): What a single file does not tell of its architecture, or
            tells otherwise; see :func:`load_stable_diffusion`. Defaults to None.
        with_cp (bool): Recompute the UNet's blocks in the backward pass instead of keeping what
            they compute: less memory, more time, the same numbers. False: the gates of its
            feed-forward layers only, a third of that memory for little time. Defaults to False.
        dtype (str): What the networks compute in, and what the maps are of: 'float32', 'bfloat16'
            or 'float16' (whose range the VAE may exceed). The noise is added in float32. Defaults
            to 'float32'.
        channels_last (bool): Whether the networks keep the channels of a pixel together in memory,
            which some machines are faster with; the maps are the same. Defaults to False.
        compile (bool | dict): Whether torch compiles the networks, level by level, when they first
            see a number of images: minutes, then faster; or the arguments of ``torch.compile``, as
            mmengine's own ``compile``. Defaults to False.

    Raises:
        FileNotFoundError: If a part of the weights is missing; says what is accepted.
        ValueError: If a file is unsafe, broken, or not of a Stable Diffusion; or ``dtype`` is none
            of these.
    """

    def __init__(
        self,
        pretrained: str,
        encoder_blocks: Sequence[int] = (5, 7),
        unet_blocks: Sequence[int] = (2, 5, 8, 11),
        decoder_blocks: Sequence[int] = (2, 5),
        timesteps: Sequence[int] = (0,),
        architecture: dict | None = None,
        with_cp: bool = False,
        dtype: str = 'float32',
        channels_last: bool = False,
        compile: bool | dict = False,
    ) -> None:
        if dtype not in _DTYPES:
            raise ValueError(
                f'StableDiffusionExtractor: dtype={dtype!r}; give one of {", ".join(_DTYPES)}')
        vae, unet, empty_text = load_stable_diffusion(
            pretrained, with_unet=bool(unet_blocks), architecture=architecture)
        read: list[Tensor] = []  # what the taps saw in the pass under way
        down = _tap(vae.encoder.down_blocks, encoder_blocks, read)
        up = _tap(vae.decoder.up_blocks, decoder_blocks, read)
        middle = _tap(unet.up_blocks, unet_blocks, read) if unet_blocks else []
        if unet_blocks:
            _drop_rest(unet)
            if with_cp:
                unet.enable_gradient_checkpointing(checkpointed)
            else:
                _recompute_gates(unet)
        if decoder_blocks:
            _drop_rest(vae.decoder)
        else:
            vae.decoder = vae.post_quant_conv = None
        super().__init__(Shared(vae=vae, unet=unet, read=read))
        for network in self.frozen_modules():
            nn.Module.to(  # diffusers' own warns of every cast
                network, dtype=getattr(torch, dtype),
                memory_format=torch.channels_last if channels_last else torch.preserve_format)
        if compile is not False:
            # sizes left open, or the UNet as a whole: torch 2.13 fails, or has wrong gradients
            options = dict(dynamic=False) | ({} if compile is True else compile)
            for level in _levels(vae.encoder, unet, vae.decoder):
                level.compile(**options)
        self.timesteps = tuple(timesteps)
        self.register_buffer(
            'embedded_timesteps', torch.tensor(self.timesteps).clamp(min=0), persistent=False)
        self._alphas = noise_schedule().tolist()

        vae_stride = 2 ** (len(vae.config.block_out_channels) - 1)
        latent_size = unet.config.sample_size if unet else vae.config.sample_size // vae_stride
        deepest = vae_stride * 2 ** (len(unet.config.block_out_channels) - 1) if unet else None
        #: Side in pixels of the square images that the model was made for.
        self.image_size: int = latent_size * vae_stride
        #: Strides of the maps against the model's input, in the order in which they come.
        self.feature_strides: list[int] = [
            *(2**level for level, _ in down),
            *[deepest // 2**level for level, _ in middle] * len(self.timesteps),
            *(vae_stride // 2**level for level, _ in up),
        ]
        #: Channels of the maps.
        self.feature_widths: list[int] = [
            width for _, width in (*down, *middle * len(self.timesteps), *up)
        ]

        noise = torch.randn(  # the official release's noise, shared by all images
            1, vae.config.latent_channels, latent_size, latent_size,
            generator=torch.Generator('cpu').manual_seed(42), device='cpu',
        )
        self.register_buffer('noise', noise, persistent=False)
        self.register_buffer('empty_text', empty_text, persistent=False)

    @property
    def condition_shape(self) -> dict[str, int]:
        """What an :class:`ImplicitCaptioner` must deliver, as its arguments."""
        unet = self.frozen.unet
        return dict(
            text_length=self.empty_text.shape[1],
            text_width=self.empty_text.shape[2],
            time_width=4 * unet.config.block_out_channels[0] if unet else 1,
            num_timesteps=len(self.timesteps),
        )

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
        vae, batch = self.frozen.vae, len(images)
        self.frozen.read.clear()
        at_once = max(1, _VAE_PIXELS // images[0, 0].numel())
        inputs = (2 * images - 1).to(vae.dtype)
        means, encoder_maps = self._in_parts(  # never samples
            lambda part: vae.encode(part).latent_dist.mean, inputs, at_once)
        mean, unet_maps, decoder_maps = torch.cat(means), [], []
        if self.frozen.unet is not None:
            latents = vae.config.scaling_factor * mean.to(self.noise.dtype)  # (B, 4, S/8, S/8)
            self._denoise(latents, text_offset, time_offset)
            maps = [m.unflatten(0, (-1, batch)) for m in self._take()]  # each (T, B, C, h, w)
            unet_maps = [m[t] for t in range(len(self.timesteps)) for m in maps]
        if vae.decoder is not None:
            def decode(latents: Tensor) -> None:  # what it ends in is not kept
                vae.decode(latents, return_dict=False)

            _, decoder_maps = self._in_parts(decode, mean, at_once)
        return encoder_maps + unet_maps + decoder_maps

    def add_noise(self, latents: Tensor) -> Tensor:
        """The latents at each timestep.

        Args:
            latents (Tensor): z, scaled, (B, 4, h, w).

        Returns:
            Tensor: z_t, timestep by timestep, (T x B, 4, h, w).
        """
        noise, alphas = self.noise, self._alphas
        if latents.shape[-2:] != noise.shape[-2:]:
            noise = F.interpolate(noise, latents.shape[-2:], mode='bicubic', align_corners=False)
        noisy = [
            latents if t < 0 else math.sqrt(alphas[t]) * latents + math.sqrt(1 - alphas[t]) * noise
            for t in self.timesteps
        ]
        return torch.cat(noisy)

    def _denoise(
        self, latents: Tensor, text_offset: Tensor | None, time_offset: Tensor | None
    ) -> None:
        """Run the UNet over all timesteps at once, for what its taps see."""
        unet, batch, steps = self.frozen.unet, len(latents), len(self.timesteps)
        text = self.empty_text if text_offset is None else self.empty_text + text_offset
        text = text.expand(batch, -1, -1).repeat(steps, 1, 1)  # (T x B, L, C)
        if time_offset is None:
            time_offset = text.new_zeros(1, steps, self.condition_shape['time_width'])
        time = time_offset.expand(batch, -1, -1).transpose(0, 1).flatten(0, 1)  # (T x B, E)
        unet(
            self.add_noise(latents).to(unet.dtype),
            self.embedded_timesteps.repeat_interleave(batch),
            encoder_hidden_states=text.to(unet.dtype),
            class_labels=time.to(unet.dtype),  # added to the time embedding after its MLP
        )

    @torch.no_grad()
    def _in_parts(
        self, run: Callable[[Tensor], Tensor | None], inputs: Tensor, at_once: int
    ) -> tuple[list[Tensor | None], list[Tensor]]:
        """Run what needs no gradient on a few images at a time: the results, and the taps' maps."""
        results, maps = [], []
        for part in inputs.split(at_once):
            results.append(run(part))
            maps.append(self._take())
        if len(maps) == 1:
            return results, maps[0]
        return results, [torch.cat(parts) for parts in zip(*maps, strict=True)]

    def _take(self) -> list[Tensor]:
        taken = list(self.frozen.read)
        self.frozen.read.clear()
        return taken


def _levels(*networks: nn.Module | None) -> list[nn.Module]:
    """The down and up blocks of networks: all but the coarsest level, whose share is small."""
    return [block for network in networks for path in ('down_blocks', 'up_blocks')
            for block in getattr(network, path, ())]


def _tap(levels: nn.ModuleList, blocks: Sequence[int], notes: list) -> list[tuple[int, int]]:
    """Put taps before residual blocks; returns the level and the input width of each."""
    places = [(level, i) for level, part in enumerate(levels) for i in range(len(part.resnets))]
    found = []
    for block in sorted(blocks):
        if not 0 <= block < len(places):
            raise ValueError(
                f'StableDiffusionExtractor: there is no residual block {block}; the blocks are '
                f'0 to {len(places) - 1}'
            )
        level, i = places[block]
        inner = levels[level].resnets[i]
        found.append((level, inner.in_channels))
        levels[level].resnets[i] = Tap(inner, notes)
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
