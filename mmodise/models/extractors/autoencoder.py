"""The autoencoder of a generator of latents: maps of its residual blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .feature_extractor import FeatureMap
from .residual_blocks import drop_after_block, drop_end, num_blocks, tap_blocks
from .taps import reading

# of all images that it sees at once, by kind of device: one of Stable Diffusion's own size keeps a
# CPU busy, and takes 0.5 GiB for a map
_PIXELS = dict(cpu=512**2)
_PIXELS_ELSEWHERE = 4 * 512**2


def stride_of(vae: nn.Module) -> int:
    """Pixels per cell of the latents of diffusers' autoencoders."""
    return 2 ** (len(vae.config.block_out_channels) - 1)


def maps_of_autoencoder(vae: nn.Module) -> dict[str, str]:
    """All that :func:`tap_autoencoder` can read, in words, by its arguments."""
    return dict(
        encoder_blocks=f'0 to {num_blocks(vae.encoder.down_blocks) - 1}',
        decoder_blocks=f'0 to {num_blocks(vae.decoder.up_blocks) - 1}')


def tap_autoencoder(
    vae: nn.Module, encoder_blocks: Sequence[int] | str, decoder_blocks: Sequence[int] | str
) -> tuple[list[FeatureMap], list[FeatureMap]]:
    """Put taps into an autoencoder, and drop what the decoder computes after the last one.

    Args:
        vae (Module): An autoencoder of diffusers; it is changed. Its decoder is None where nothing
            of it is read.
        encoder_blocks (Sequence[int] | str): Residual blocks of the encoder's down path, counted
            from 0 through all levels, or 'all'.
        decoder_blocks (Sequence[int] | str): Residual blocks of the decoder's up path, likewise.

    Returns:
        tuple: The maps of the encoder, and those of the decoder.

    Raises:
        ValueError: If there is no such block.
    """
    of_encoder = [
        FeatureMap(f'encoder{block.number}', block.width, 2**block.level,
                   ('encoder_blocks', block.number))
        for block in tap_blocks(vae.encoder.down_blocks, encoder_blocks)]
    if not decoder_blocks:
        vae.decoder = vae.post_quant_conv = None
        return of_encoder, []
    tapped = tap_blocks(vae.decoder.up_blocks, decoder_blocks)
    of_decoder = [
        FeatureMap(f'decoder{block.number}', block.width, stride_of(vae) // 2**block.level,
                   ('decoder_blocks', block.number)) for block in tapped]
    last = tapped[-1]
    vae.decoder.up_blocks = vae.decoder.up_blocks[: last.level + 1]
    drop_after_block(vae.decoder.up_blocks[last.level], last.index)
    drop_end(vae.decoder)
    return of_encoder, of_decoder


def images_at_once(images: Tensor, pixels: int | None) -> int:
    """How many images an autoencoder sees at once, which bounds its memory; one at least.

    Args:
        images (Tensor): (B, 3, S, S).
        pixels (int, optional): Pixels of all images at once. None: 512 x 512 on a CPU, four times
            that elsewhere.
    """
    pixels = pixels or _PIXELS.get(images.device.type, _PIXELS_ELSEWHERE)
    return max(1, pixels // images[0, 0].numel())


def encode_in_parts(
    vae: nn.Module, images: Tensor, at_once: int, compiled: bool = False
) -> tuple[Tensor, list[Tensor]]:
    """Encode a few images at a time.

    Args:
        vae (Module): An ``AutoencoderKL``.
        images (Tensor): RGB in [0, 1], (B, 3, S, S).
        at_once (int): As in :func:`run_in_parts`.
        compiled (bool): Likewise. Defaults to False.

    Returns:
        tuple: The means of the latents, not scaled; and what the encoder's taps read.
    """
    means, maps = run_in_parts(  # never samples
        lambda part: vae.encode(part).latent_dist.mean, (2 * images - 1).to(vae.dtype), at_once,
        compiled)
    return torch.cat(means), maps


def decode_in_parts(
    vae: nn.Module, mean: Tensor, at_once: int, compiled: bool = False
) -> list[Tensor]:
    """Decode a few latents at a time, for what the decoder's taps read; [] without a decoder.

    Args:
        vae (Module): As in :func:`encode_in_parts`, like the others.
        mean (Tensor): Means of the latents.
        at_once (int): How many of them at a time.
        compiled (bool): Defaults to False.
    """
    def decode(latents: Tensor) -> None:  # what it ends in is not kept
        vae.decode(latents, return_dict=False)

    return [] if vae.decoder is None else run_in_parts(decode, mean, at_once, compiled)[1]


@torch.no_grad()
def run_in_parts(
    run: Callable[[Tensor], Tensor | None], inputs: Tensor, at_once: int, compiled: bool = False
) -> tuple[list[Tensor | None], list[Tensor]]:
    """Run what needs no gradient on a few inputs at a time.

    Args:
        run (Callable): Runs a network.
        inputs (Tensor): (B, ...).
        at_once (int): How many of them at a time.
        compiled (bool): As in :func:`reading`. Defaults to False.

    Returns:
        tuple: The result of each part; and the maps that taps have read, of all inputs, (B, ...).
    """
    results, maps = [], []
    for part in inputs.split(at_once):
        with reading(compiled) as read:
            results.append(run(part))
            maps.append(list(read))
    if len(maps) == 1:
        return results, maps[0]
    return results, [torch.cat(parts) for parts in zip(*maps, strict=True)]
