"""Teach the small CLIP and the small Stable Diffusion the shapes world, from captioned pictures.

python tools/train_small_models.py clip
python tools/train_small_models.py vae
python tools/train_small_models.py unet

The three trainings behind the weights that come with mmodise (their card, README.md beside them,
says what was done for these), in this order: the UNet reads CLIP's text tower and the VAE's
latents; the first two can run side by side. Each draws its pictures first,
writes logs, checkpoints and training_curve.png into WORK_DIR/PART, goes on from its last
checkpoint when it was interrupted, and at the end writes its part of OUT_DIR, half precision.
"""

import argparse
import json
import random
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

import mmodise  # noqa: F401  completes the installation, where needed, for the libraries below
from mmodise.benchmark.small_models import (
    CONTEXT_LENGTH,
    build_clip,
    build_unet,
    build_vae,
    save_clip,
    save_stable_diffusion,
    save_tokenizer,
)

# isort: split
import open_clip
from diffusers import AutoencoderKL, DDPMScheduler
from open_clip.tokenizer import HFTokenizer
from transformers import CLIPTextModel, CLIPTokenizer

from mmodise.benchmark.training_curve import draw_training_curve
from mmodise.datasets.shapes_world import SIZE, draw_picture

SEED = 7
SCHEDULES = {  # iterations, batch size, largest learning rate
    'clip': (4000, 128, 1e-3),
    'vae': (5000, 16, 1e-3),
    'unet': (4000, 32, 1e-3),
}
LOSSES = {'clip': 'contrastive loss', 'vae': 'absolute error + 1e-6 KL divergence',
          'unet': 'squared error of the predicted noise'}


class CaptionedPictures(Dataset):
    """Pictures of the shapes world, drawn once into a folder, each with a caption at random.

    Args:
        folder (Path): Gets ``images.npy`` (N, SIZE, SIZE, 3) uint8 and ``captions.json``.
        count (int): Number of pictures N.
    """

    def __init__(self, folder: Path, count: int) -> None:
        captions = folder / 'captions.json'
        if not captions.is_file():  # written last
            self._draw(folder, count)
        self.images = np.load(folder / 'images.npy', mmap_mode='r')
        self.captions = json.loads(captions.read_text(encoding='utf-8'))

    @staticmethod
    def _draw(folder: Path, count: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        images = np.lib.format.open_memmap(
            folder / 'images.npy', 'w+', np.uint8, (count, SIZE, SIZE, 3))
        captions = []
        with Pool(initializer=cv2.setNumThreads, initargs=(0, )) as pool:
            drawn = pool.imap(partial(draw_picture, SEED), range(count), chunksize=32)
            for index, picture in enumerate(tqdm(drawn, 'Drawing', count)):
                images[index] = picture.image
                captions.append(picture.captions)
        images.flush()
        (folder / 'captions.json').write_text(json.dumps(captions), encoding='utf-8')

    def __len__(self) -> int:
        return len(self.captions)

    def __getitem__(self, index: int) -> dict:
        image = torch.from_numpy(self.images[index].copy()).permute(2, 0, 1)
        image = image.flip(-1) if random.random() < 0.5 else image
        return dict(images=image, captions=random.choice(self.captions[index]))


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
        images = self.crop(images / 255)
        images = (images - self.mean) / self.std
        texts = self.tokenizer(list(captions)).to(images.device)
        image_features, text_features, scale = self.clip(images, texts)
        with torch.no_grad():
            self.clip.logit_scale.clamp_(max=np.log(100))
            best = (image_features @ text_features.T).argmax(dim=1)
            hits = best == torch.arange(len(images), device=images.device)
        loss = self.loss(image_features, text_features, scale)
        return dict(loss=loss, accuracy=hits.float().mean(), scale=scale.detach())

    def crop(self, images: Tensor) -> Tensor:
        """Cut most of each image out, the same part of all, and resize it to CLIP's size."""
        side = random.randint(int(0.8 * SIZE), SIZE)
        top, left = random.randint(0, SIZE - side), random.randint(0, SIZE - side)
        images = images[..., top:top + side, left:left + side]
        return F.interpolate(images, self.clip.visual.image_size, mode='bilinear')


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
        captions = ['' if random.random() < 0.1 else caption for caption in captions]
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


def train(model: BaseModel, part: str, dataset: Dataset, args: argparse.Namespace) -> None:
    """Train a part under mmengine's runner."""
    iterations, batch_size, rate = SCHEDULES[part]
    iterations = args.max_iters or iterations
    warmup = min(200, iterations // 2)
    runner = Runner(
        model=model,
        work_dir=str(args.work_dir / part),
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
    runner.train()
    draw_training_curve(runner.work_dir, Path(runner.work_dir, 'training_curve.png'),
                        {'loss': LOSSES[part]}, f'Training of the small {part}')


@torch.no_grad()
def latent_scale(vae: AutoencoderKL, dataset: CaptionedPictures, count: int = 256) -> float:
    """One over the standard deviation of latents, as ``scaling_factor`` in the VAE's config."""
    indices = range(min(count, len(dataset)))
    images = torch.stack([dataset[index]['images'] for index in indices]) / 127.5 - 1
    return 1 / float(torch.cat([vae.encode(i).latent_dist.mean for i in images.split(16)]).std())


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('part', choices=list(SCHEDULES))
    parser.add_argument('--out-dir', type=Path, default=Path('mmodise/weights/shapes'),
                        help='gets clip/ and stable_diffusion/ (default: mmodise/weights/shapes)')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/small_models'))
    parser.add_argument('--num-pictures', type=int, default=20_000)
    parser.add_argument('--max-iters', type=int, help='iterations of training')
    return parser.parse_args(argv)


def main() -> None:
    """Train one part, and write it."""
    args = parse_args()
    torch.manual_seed(SEED)
    dataset = CaptionedPictures(args.work_dir / 'pictures', args.num_pictures)
    clip_dir, diffusion_dir = args.out_dir / 'clip', args.out_dir / 'stable_diffusion'
    if args.part == 'clip':
        save_tokenizer(clip_dir)
        model = ContrastiveTraining(clip_dir)
        train(model, args.part, dataset, args)
        save_clip(model.clip.half(), clip_dir)
        save_stable_diffusion(diffusion_dir, clip=model.clip)
    elif args.part == 'vae':
        model = AutoencoderTraining()
        train(model, args.part, dataset, args)
        model.vae.register_to_config(scaling_factor=latent_scale(model.vae.eval(), dataset))
        save_stable_diffusion(diffusion_dir, vae=model.vae.half())
    else:
        model = DenoisingTraining(diffusion_dir)
        train(model, args.part, dataset, args)
        save_stable_diffusion(diffusion_dir, unet=model.unet.half())


if __name__ == '__main__':
    main()
