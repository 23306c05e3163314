"""Training the small Stable Diffusion XL, over the CLIP and the VAE that come with mmodise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDPMScheduler, StableDiffusionXLPipeline
from mmengine.model import BaseModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from ..datasets.shapes_world import SIZE
from ..weights import locate
from .captioned_pictures import CaptionedPictures, leave_out
from .small_models import SCHEDULER_CONFIG
from .small_stable_diffusion_xl import build_unet_xl, save_stable_diffusion_xl

_FROZEN = dict(
    vae=AutoencoderKL, text_encoder=CLIPTextModel, text_encoder_2=CLIPTextModelWithProjection)


class DenoisingTrainingXL(BaseModel):
    """Mean squared error of the predicted noise, a tenth of the captions left out.

    Args:
        folder (Path): A Stable Diffusion XL without its UNet.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.unet = build_unet_xl()
        self.scheduler = DDPMScheduler(**{
            name: SCHEDULER_CONFIG[name]
            for name in ('beta_schedule', 'beta_start', 'beta_end', 'num_train_timesteps')})
        parts = {name: part.from_pretrained(folder, subfolder=name).float()
                 for name, part in _FROZEN.items()}
        self.frozen = [StableDiffusionXLPipeline.from_pretrained(  # in a list: not in checkpoints
            folder, unet=self.unet, **parts)]

    def forward(self, images: Tensor, captions: list[str], mode: str = 'loss') -> dict[str, Tensor]:
        """Losses of (N, 3, SIZE, SIZE) uint8 with a caption each."""
        pipeline, = self.frozen
        vae = pipeline.to(images.device).vae
        with torch.no_grad():
            latents = vae.encode(images / 127.5 - 1).latent_dist.mean * vae.config.scaling_factor
            texts, _, pooled, _ = pipeline.encode_prompt(
                leave_out(captions), device=images.device, do_classifier_free_guidance=False)
        sizes = pooled.new_tensor([SIZE, SIZE, 0, 0, SIZE, SIZE]).expand(len(images), -1)
        noise = torch.randn_like(latents)
        timesteps = torch.randint(
            self.scheduler.config.num_train_timesteps, (len(latents), ), device=images.device)
        predicted = self.unet(
            self.scheduler.add_noise(latents, noise, timesteps), timesteps, texts,
            added_cond_kwargs=dict(text_embeds=pooled, time_ids=sizes)).sample
        return dict(loss=F.mse_loss(predicted, noise))


def train_unet_xl(
    train: Callable[[BaseModel], None], out_dir: Path, dataset: CaptionedPictures
) -> None:
    """Train the UNet of a Stable Diffusion XL, and write all of it.

    Args:
        train (Callable): Trains a model.
        out_dir (Path): Gets ``stable_diffusion_xl/``.
        dataset (CaptionedPictures): What ``train`` learns from.
    """
    folder = out_dir / 'stable_diffusion_xl'
    shipped = {name: locate(f'mmodise://shapes/{name}') for name in ('clip', 'stable_diffusion')}
    vae = AutoencoderKL.from_pretrained(shipped['stable_diffusion'], subfolder='vae')
    clip = open_clip.create_model(f'local-dir:{shipped["clip"]}')
    save_stable_diffusion_xl(folder, vae=vae.half(), clip=clip.half())
    model = DenoisingTrainingXL(folder)
    train(model)
    save_stable_diffusion_xl(folder, unet=model.unet.half())
