"""What the small CLIP and the small Stable Diffusion know of the shapes world."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import StableDiffusionPipeline
from mmdet.structures import DetDataSample
from torch import Tensor
from tqdm import tqdm, trange

from ..datasets.shapes_world import NOVEL_CLASSES, STUFF, THINGS, draw_portrait, draw_scene
from ..models import FrozenCLIP, MaskClassifier, PooledCLIPClassifier
from ..vocabulary import Vocabulary

SEED = 1_000_000  # not the training's
PROMPT = 'a photo of a {}.'
SCALES = 1, 1.5, 2, 3


def to_tensor(images: Sequence[np.ndarray]) -> Tensor:
    """Images (H, W, 3) in 0..255 as a batch in 0..1, (N, 3, H, W)."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255


def accuracies(hits: dict[str, list[bool]]) -> dict[str, float]:
    """Percent of hits by group of classes, from the hits of each class."""
    groups = {
        'all': list(hits),
        'base': [name for name in hits if name not in NOVEL_CLASSES],
        'novel': [name for name in hits if name in NOVEL_CLASSES],
    }
    return {group: 100 * float(np.mean([hit for name in names for hit in hits[name]]))
            for group, names in groups.items()}


def zero_shot(clip: FrozenCLIP, class_names: Sequence[str], count: int) -> dict[str, float]:
    """Accuracy in percent on portraits, ``count`` a class, among the names of these classes."""
    texts = F.normalize(clip.encode_texts([PROMPT.format(name) for name in class_names]), dim=-1)
    hits = {}
    for index, name in enumerate(tqdm(class_names, 'Portraits')):
        rng = np.random.default_rng((SEED, index))
        images = to_tensor([draw_portrait(rng, name).image for _ in range(count)])
        hits[name] = ((clip.encode_images(images) @ texts.T).argmax(dim=1) == index).tolist()
    return accuracies(hits)


def masks_in_scenes(classifier: MaskClassifier, count: int) -> dict[str, float]:
    """Accuracy in percent on the true masks of scenes, among the names of all classes."""
    vocabulary = Vocabulary.from_lists(list(THINGS), list(STUFF))
    classes = [*THINGS, *STUFF]
    hits = {name: [] for name in classes}
    for index in trange(count, desc='Scenes'):
        scene = draw_scene(np.random.default_rng((SEED, 100 + index)))
        segments = torch.arange(len(scene.class_names))[:, None, None]
        masks = (torch.from_numpy(scene.segment_map) == segments).float()[None]
        sample = DetDataSample(metainfo=dict(img_shape=scene.image.shape[:2]))
        scores, = classifier(to_tensor([scene.image]), (), 20 * masks - 10, [sample], [vocabulary])
        for name, best in zip(scene.class_names, scores.logits.argmax(dim=1).tolist(), strict=True):
            hits[name].append(classes[best] == name)
    return accuracies(hits)


def tower_accuracies(folder: Path, count: int) -> dict[str, dict[str, float]]:
    """Accuracies in percent of a CLIP whose image tower gives maps.

    Args:
        folder (Path): In open_clip's format.
        count (int): Scenes, and four times the portraits a class.

    Returns:
        dict[str, dict[str, float]]: On portraits, and on true masks by pooling in scenes that are
        enlarged so many times; among the names of all classes.
    """
    config = dict(type='FrozenCLIP', model=str(folder))
    masks = {f'masks, {scale} times as large': masks_in_scenes(
        PooledCLIPClassifier(config, prompt=PROMPT, scale=scale), count) for scale in SCALES}
    return dict(
        portraits=zero_shot(FrozenCLIP(str(folder)), [*THINGS, *STUFF], count // 4), **masks)


@torch.no_grad()
def reconstruction(pipeline: StableDiffusionPipeline, images: Tensor) -> dict[str, float]:
    """Errors of the VAE in grey levels of 255, against always answering with the mean colour."""
    restored = torch.cat([pipeline.vae(batch * 2 - 1).sample for batch in images.split(16)])
    restored = (restored / 2 + 0.5).clamp(0, 1)
    mean = images.mean(dim=(0, 2, 3), keepdim=True)
    error = (restored - images).square().mean()
    return dict(
        absolute=255 * float((restored - images).abs().mean()),
        absolute_of_mean_color=255 * float((mean - images).abs().mean()),
        psnr=float(-10 * error.log10()))


@torch.no_grad()
def denoising(pipeline: StableDiffusionPipeline, images: Tensor,
              captions: list[str]) -> list[dict[str, float]]:
    """Error of the predicted noise by timestep: with captions, without, and two trivial answers."""
    vae, unet, scheduler = pipeline.vae, pipeline.unet, pipeline.scheduler
    latents = torch.cat([vae.encode(batch * 2 - 1).latent_dist.mean for batch in images.split(16)])
    latents *= vae.config.scaling_factor
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(SEED))
    texts = {kind: pipeline.encode_prompt(prompts, 'cpu', 1, False)[0]
             for kind, prompts in (('caption', captions), ('empty', [''] * len(captions)))}
    rows = []
    for timestep in (0, 50, 100, 200, 400, 600, 800, 999):
        noisy = scheduler.add_noise(latents, noise, torch.tensor([timestep]))
        row = dict(timestep=timestep, zero=float(noise.square().mean()))
        # the best multiple of the noisy latent, as latents have a standard deviation of 1
        share = float(1 - scheduler.alphas_cumprod[timestep])
        row['linear'] = float((share**0.5 * noisy - noise).square().mean())
        for kind, text in texts.items():
            predicted = torch.cat([unet(n, timestep, t).sample for n, t in
                                   zip(noisy.split(16), text.split(16), strict=True)])
            row[kind] = float((predicted - noise).square().mean())
        rows.append(row)
    return rows
