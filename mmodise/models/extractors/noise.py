"""The noise that a diffusion model is given."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

NUM_TIMESTEPS = 1000


def scaled_linear_schedule(
    start: float = 0.00085, end: float = 0.012, num_timesteps: int = NUM_TIMESTEPS
) -> Tensor:
    """a_t of z_t = sqrt(a_t) z + sqrt(1 - a_t) n.

    Args:
        start (float): The first beta. Defaults to Stable Diffusion's, like the others.
        end (float): The last beta.
        num_timesteps (int): Number of timesteps.

    Returns:
        Tensor: The cumulative product of 1 - beta, beta = linspace(sqrt start, sqrt end)^2,
        float64, (num_timesteps,).
    """
    betas = torch.linspace(
        math.sqrt(start), math.sqrt(end), num_timesteps, dtype=torch.float64, device='cpu') ** 2
    return (1 - betas).cumprod(0)


def fixed_noise(channels: int, size: int) -> Tensor:
    """The noise that all images share (official release), (1, channels, size, size)."""
    generator = torch.Generator('cpu').manual_seed(42)
    return torch.randn(1, channels, size, size, generator=generator, device='cpu')


def add_noise(
    latents: Tensor, noise: Tensor, timesteps: Sequence[int], alphas: Sequence[float]
) -> Tensor:
    """The latents at each timestep.

    Args:
        latents (Tensor): z, scaled, (B, C, h, w).
        noise (Tensor): n, (1, C, h', w'); resized bicubically where its size differs.
        timesteps (Sequence[int]): T timesteps; a negative one means no noise.
        alphas (Sequence[float]): a_t of every timestep.

    Returns:
        Tensor: z_t, timestep by timestep, (T x B, C, h, w).
    """
    noise = _fitting(noise, latents)
    return torch.cat([
        latents if t < 0 else math.sqrt(alphas[t]) * latents + math.sqrt(1 - alphas[t]) * noise
        for t in timesteps])


def add_flow_noise(latents: Tensor, noise: Tensor, timesteps: Sequence[float]) -> Tensor:
    """The latents at each timestep of a rectified flow, z_t = (1 - t / 1000) z + t / 1000 n.

    Args:
        latents (Tensor): As in :func:`add_noise`, like the others.
        noise (Tensor): n.
        timesteps (Sequence[float]): T timesteps up to 1000; a negative one is as 0, no noise.

    Returns:
        Tensor: z_t, timestep by timestep, (T x B, C, h, w).
    """
    noise = _fitting(noise, latents)
    shares = [max(t, 0) / NUM_TIMESTEPS for t in timesteps]
    return torch.cat([(1 - share) * latents + share * noise for share in shares])


def _fitting(noise: Tensor, latents: Tensor) -> Tensor:
    if latents.shape[-2:] == noise.shape[-2:]:
        return noise
    return F.interpolate(noise, latents.shape[-2:], mode='bicubic', align_corners=False)
