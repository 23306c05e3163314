"""Training the small generators and the small CLIP under mmengine's runner."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDPMScheduler
from mmengine.model import BaseModel
from mmengine.runner import Runner
from open_clip.tokenizer import HFTokenizer
from torch import Tensor
from torch.utils.data import Dataset
from transformers import CLIPTextModel, CLIPTokenizer

from ..checkpoints import reading_safely
from ..datasets.shapes_world import SIZE
from .captioned_pictures import SEED, CaptionedPictures, cut_out, leave_out
from .small_captioner_training import train_captioner
from .small_clip_towers import TOWERS, train_tower
from .small_generator_training import train_tokens, train_transformer, train_vq
from .small_models import (
    CONTEXT_LENGTH,
    build_clip,
    build_unet,
    build_vae,
    save_clip,
    save_stable_diffusion,
    save_tokenizer,
)
from .small_xl_training import train_unet_xl
from .training_curve import draw_training_curve

SCHEDULES = {  # iterations, batch size, largest learning rate
    'clip': (4000, 128, 1e-3),
    'vae': (5000, 16, 1e-3),
    'unet': (4000, 32, 1e-3),
    'unet-xl': (2000, 32, 1e-3),
    'transformer': (2200, 32, 1e-3),
    'vq': (2500, 16, 1e-3),
    'tokens': (1800, 32, 1e-3),
    'captioner': (1500, 32, 5e-4),
    'clip-convnext': (2000, 64, 3e-3),
    'clip-resnet': (700, 128, 1e-3),
}
LOSSES = {'clip': 'contrastive loss', 'vae': 'absolute error + 1e-6 KL divergence',
          'unet': 'squared error of the predicted noise',
          'unet-xl': 'squared error of the predicted noise',
          'transformer': 'squared error of the predicted velocity',
          'vq': 'absolute error + squared distance to the codes',
          'tokens': 'cross entropy of masked tokens',
          'captioner': 'cross entropy of the caption',
          'clip-convnext': 'contrastive loss',
          'clip-resnet': 'contrastive loss'}


class ContrastiveTraining(BaseModel):
    """CLIP's own objective; most patches are left out at random (FLIP, arXiv 2212.00794)."""

    def __init__(self, tokenizer: Path) -> None:
        super().__init__()
        self.clip = build_clip(patch_dropout=0.7)
        self.loss = open_clip.ClipLoss()
        self.tokenizer = HFTokenizer(str(tokenizer), context_length=CONTEXT_LENGTH)
        self.register_buffer('mean', torch.tensor(open_clip.OPENAI_DATASET_MEAN).view(3, 1, 1))
        self.register_buffer('std', torch.tensor(open_clip.OPENAI_DATASET_STD).view(3, 1, 1))

    def forward(self, images: Tensor, captions: list[str], mode: str = 'loss') -> dict[str, Tensor]:
        """Losses of (N, 3, SIZE, SIZE) uint8 with a caption each."""
        images = cut_out(images / 255, 0.8, self.clip.visual.image_size)
        images = (images - self.mean) / self.std
        texts = self.tokenizer(list(captions)).to(images.device)
        image_features, text_features, scale = self.clip(images, texts)
        with torch.no_grad():
            self.clip.logit_scale.clamp_(max=np.log(100))
            best = (image_features @ text_features.T).argmax(dim=1)
            hits = best == torch.arange(len(images), device=images.device)
        loss = self.loss(image_features, text_features, scale)
        return dict(loss=loss, accuracy=hits.float().mean(), scale=scale.detach())


class AutoencoderTraining(BaseModel):
    """Absolute error of the reconstruction, and KL divergence of the posterior."""

    kl_weight = 1e-6  # as in Stable Diffusion's VAE

    def __init__(self, crop_size: int = 64) -> None:
        super().__init__()
        self.vae = build_vae()
        self.crop_size = crop_size

    def forward(self, images: Tensor, captions: list[str], mode: str = 'loss') -> dict[str, Tensor]:
        """Losses of (N, 3, SIZE, SIZE) uint8; the captions are not read."""
        top, left = (random.randint(0, SIZE - self.crop_size) for _ in range(2))
        images = images[..., top:top + self.crop_size, left:left + self.crop_size] / 127.5 - 1
        posterior = self.vae.encode(images).latent_dist
        error = F.l1_loss(self.vae.decode(posterior.sample()).sample, images)
        return dict(loss=error + self.kl_weight * posterior.kl().mean(), error=error.detach())


class DenoisingTraining(BaseModel):
    """Mean squared error of the predicted noise, a tenth of the captions left out."""

    def __init__(self, stable_diffusion: Path) -> None:
        super().__init__()
        self.unet = build_unet()
        self.scheduler = DDPMScheduler.from_pretrained(stable_diffusion, subfolder='scheduler')
        self.frozen = [  # in a list: neither trained nor in checkpoints
            AutoencoderKL.from_pretrained(stable_diffusion, subfolder='vae').float(),
            CLIPTextModel.from_pretrained(stable_diffusion, subfolder='text_encoder').float()]
        self.tokenizer = CLIPTokenizer.from_pretrained(stable_diffusion, subfolder='tokenizer')

    def forward(self, images: Tensor, captions: list[str], mode: str = 'loss') -> dict[str, Tensor]:
        """Losses of (N, 3, SIZE, SIZE) uint8 with a caption each."""
        vae, text_encoder = (part.to(images.device) for part in self.frozen)
        captions = leave_out(captions)
        with torch.no_grad():
            latents = vae.encode(images / 127.5 - 1).latent_dist.mean * vae.config.scaling_factor
            tokens = self.tokenizer(captions, padding='max_length', return_tensors='pt')
            texts = text_encoder(tokens.input_ids.to(images.device)).last_hidden_state
        noise = torch.randn_like(latents)
        timesteps = torch.randint(
            self.scheduler.config.num_train_timesteps, (len(latents), ), device=images.device)
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        predicted = self.unet(noisy, timesteps, texts).sample
        return dict(loss=F.mse_loss(predicted, noise))


def train(
    model: BaseModel, part: str, dataset: Dataset, work_dir: Path, max_iters: int | None = None
) -> None:
    """Train a part under mmengine's runner.

    Args:
        model (BaseModel): Gives the losses of a batch.
        part (str): One of :data:`SCHEDULES`.
        dataset (Dataset): What to learn from.
        work_dir (Path): Folder for logs, checkpoints and training_curve.png.
        max_iters (int, optional): Iterations. Defaults to the schedule's.
    """
    iterations, batch_size, rate = SCHEDULES[part]
    iterations = max_iters or iterations
    warmup = min(200, iterations // 2)
    runner = Runner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=batch_size, dataset=dataset, num_workers=0,
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='InfiniteSampler', shuffle=True)),
        train_cfg=dict(by_epoch=False, max_iters=iterations),
        optim_wrapper=dict(
            optimizer=dict(type='AdamW', lr=rate, weight_decay=0.05),
            paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
            clip_grad=dict(max_norm=1.0)),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=warmup),
            dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup, T_max=iterations - warmup,
                 eta_min=rate / 100)],
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=50),
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=500, max_keep_ckpts=1)),
        log_processor=dict(by_epoch=False),
        visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]),
        randomness=dict(seed=SEED),
        resume=True,
        experiment_name=part)
    with reading_safely():
        runner.train()
    draw_training_curve(runner.work_dir, Path(runner.work_dir, 'training_curve.png'),
                        {'loss': LOSSES[part]}, f'Training of the small {part}')


@torch.no_grad()
def latent_scale(vae: AutoencoderKL, dataset: CaptionedPictures, count: int = 256) -> float:
    """One over the standard deviation of latents, as ``scaling_factor`` in the VAE's config."""
    indices = range(min(count, len(dataset)))
    images = torch.stack([dataset[index]['images'] for index in indices]) / 127.5 - 1
    return 1 / float(torch.cat([vae.encode(i).latent_dist.mean for i in images.split(16)]).std())


def _train_clip(
    train: Callable[[BaseModel], None], out_dir: Path, dataset: CaptionedPictures
) -> None:
    folder = out_dir / 'clip'
    save_tokenizer(folder)
    model = ContrastiveTraining(folder)
    train(model)
    save_clip(model.clip.half(), folder)
    save_stable_diffusion(out_dir / 'stable_diffusion', clip=model.clip)


def _train_vae(
    train: Callable[[BaseModel], None], out_dir: Path, dataset: CaptionedPictures
) -> None:
    model = AutoencoderTraining()
    train(model)
    model.vae.register_to_config(scaling_factor=latent_scale(model.vae.eval(), dataset))
    save_stable_diffusion(out_dir / 'stable_diffusion', vae=model.vae.half())


def _train_unet(
    train: Callable[[BaseModel], None], out_dir: Path, dataset: CaptionedPictures
) -> None:
    folder = out_dir / 'stable_diffusion'
    model = DenoisingTraining(folder)
    train(model)
    save_stable_diffusion(folder, unet=model.unet.half())


_TRAININGS = {
    'clip': _train_clip, 'vae': _train_vae, 'unet': _train_unet, 'unet-xl': train_unet_xl,
    'transformer': train_transformer, 'vq': train_vq, 'tokens': train_tokens,
    'captioner': train_captioner,
    **{part: partial(train_tower, part) for part in TOWERS}}


def train_part(
    part: str, out_dir: Path, work_dir: Path, num_pictures: int, max_iters: int | None = None
) -> None:
    """Train one part, and write it.

    Args:
        part (str): One of :data:`SCHEDULES`. 'unet' reads what 'clip' and 'vae' have written,
            'tokens' what 'vq' has; the others read the CLIP and the VAE that come with mmodise.
        out_dir (Path): Gets ``clip/`` and ``stable_diffusion/``, ``stable_diffusion_xl/``,
            ``stable_diffusion_3/``, ``amused/``, ``captioner/``, ``clip_convnext/`` or
            ``clip_resnet/``.
        work_dir (Path): Folder for pictures, logs and checkpoints.
        num_pictures (int): Pictures to learn from.
        max_iters (int, optional): Iterations. Defaults to those of :data:`SCHEDULES`.
    """
    torch.manual_seed(SEED)
    dataset = CaptionedPictures(work_dir / 'pictures', num_pictures)

    def run(model: BaseModel) -> None:
        train(model, part, dataset, work_dir / part, max_iters)

    _TRAININGS[part](run, out_dir, dataset)
