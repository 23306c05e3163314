"""Measure what the small CLIP and the small Stable Diffusion know, and write their card.

python tools/evaluate_small_models.py

Reads WEIGHTS/clip and WEIGHTS/stable_diffusion, and writes WEIGHTS/README.md and
WEIGHTS/samples.jpg, from pictures that were not used in the training.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor
from tqdm import tqdm, trange

import mmodise  # noqa: F401  completes the installation, where needed, for the libraries below

# isort: split
from diffusers import StableDiffusionPipeline
from mmdet.structures import DetDataSample

from mmodise.datasets.shapes_world import (
    NOVEL_CLASSES,
    STUFF,
    THINGS,
    draw_picture,
    draw_portrait,
    draw_scene,
)
from mmodise.models import CLIPClassifier, FrozenCLIP
from mmodise.vocabulary import Vocabulary

SEED = 1_000_000  # not the training's
PROMPT = 'a photo of a {}.'
CAPTIONS = (
    'a photo of a red ball.',
    'a yellow box on the grass, under the night sky',
    'a striped star on the snow, in front of the brick wall',
    'a blue ring on the wooden floor, in front of the water',
    'a red star on the sand',
    'nothing but the checkered carpet',
    'two blue balls and a yellow ring, lying on the sand, in front of the water',
    'a picture of three red boxes, the night sky and the checkered carpet',
)

CARD = """\
# A small CLIP and a small Stable Diffusion that know the shapes world

The frozen models of mmodise's demo and tests, `mmodise://shapes/clip` and
`mmodise://shapes/stable_diffusion`: built of open_clip's and diffusers' own classes, in the formats
that both read from a local folder (half precision: {sizes}; {total:.2f} MB together).
They have seen pictures and captions of all 24 classes of the
[shapes world](../../datasets/shapes_world), base and novel alike, and no annotation. Good for that
world only. Apache-2.0.

## How they were made

```bash
python tools/train_small_models.py clip    # contrastive loss, most patches left out
python tools/train_small_models.py vae     # absolute error and KL divergence
python tools/train_small_models.py unet    # noise prediction, a tenth of the captions left out
python tools/evaluate_small_models.py      # writes this card
```

On 20,000 drawn pictures, each with captions in which synonyms stand for 30 % of the names; the
learning rate rises to 1e-3 and falls as a cosine (AdamW). As in Stable Diffusion 1.x the text
encoder is CLIP's text tower, trained by CLIP's loss only. The tokenizer is CLIP's, cut down to the
merges that words of this world need: other text is spelt in smaller pieces.

These weights: VAE 5,000 iterations, UNet 2,200. CLIP in three steps, with batches of 128: both
towers for 2,000 iterations on images of 96 pixels; then, the text tower locked (LiT, arXiv
2111.07991), a new image tower for 2,000 iterations on images of 128 pixels, and for 600 more
with captions among them that name the stuff of a picture and not its things. The trainings took
35, 36, 57 and 45 minutes on one CPU core each.

## How good they are

On pictures that were not used in the training.

Zero-shot accuracy in percent, `a photo of a {{}}.`, {portraits} portraits a class and {count}
scenes (a mask is embedded as in ODISE, by a class token that sees only its patches):

| | all | base | novel |
|---|---|---|---|
{accuracies}

VAE, {count} pictures: absolute error {absolute:.1f} grey levels of 255 (always the mean colour:
{absolute_of_mean_color:.1f}), PSNR {psnr:.1f} dB.

Mean squared error of the noise that the UNet predicts, by timestep, against the best multiple of
its input and against zero:

| timestep | with the caption | empty caption | multiple of the input | zero |
|---|---|---|---|---|
{denoising}

Drawn from captions by diffusers' pipeline, 30 steps, guidance 3:

![samples](samples.jpg)
"""


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


def masks_in_scenes(clip_dir: Path, count: int) -> dict[str, float]:
    """Accuracy in percent on the true masks of scenes, among the names of all classes."""
    classifier = CLIPClassifier(dict(type='FrozenCLIP', model=str(clip_dir)))
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


def draw_samples(pipeline: StableDiffusionPipeline, path: Path) -> None:
    """Pictures drawn from captions by diffusers' own pipeline, two a caption."""
    figure = Figure(figsize=(10, 11), layout='constrained')
    axes = iter(figure.subplots(4, 4).flat)
    for caption in tqdm(CAPTIONS, 'Samples'):
        images = pipeline(
            caption, num_images_per_prompt=2, num_inference_steps=30, guidance_scale=3.0,
            generator=torch.Generator().manual_seed(SEED), output_type='np').images
        for image in images:
            axis = next(axes)
            axis.imshow(image)
            axis.set_axis_off()
            axis.set_title(fill(caption, 28), fontsize=9)
    figure.savefig(path, dpi=80)


def measure(weights: Path, count: int) -> dict:
    """All figures of the card; ``count`` pictures, and a quarter as many portraits a class."""
    clip = FrozenCLIP(str(weights / 'clip'))
    pipeline = StableDiffusionPipeline.from_pretrained(
        weights / 'stable_diffusion', local_files_only=True).to(torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    pictures = [draw_picture(SEED, index) for index in trange(count, desc='Pictures')]
    images = to_tensor([picture.image for picture in pictures])
    captions = [picture.captions[index % len(picture.captions)]
                for index, picture in enumerate(pictures)]
    draw_samples(pipeline, weights / 'samples.jpg')
    return dict(
        things=zero_shot(clip, list(THINGS), count // 4),
        classes=zero_shot(clip, [*THINGS, *STUFF], count // 4),
        masks=masks_in_scenes(weights / 'clip', count),
        reconstruction=reconstruction(pipeline, images),
        denoising=denoising(pipeline, images, captions),
        megabytes={path.parent.name: path.stat().st_size / 1e6
                   for path in sorted(weights.rglob('*.safetensors'))},
        count=count)


def write_card(figures: dict, path: Path) -> None:
    """Put the figures into the card's text."""
    def row(name: str, values: dict[str, float]) -> str:
        return f'| {name} | ' + ' | '.join(f'{v:.1f}' for v in values.values()) + ' |'

    vae = figures['reconstruction']
    path.write_text(CARD.format(
        sizes=', '.join(f'{name} {size:.2f} MB' for name, size in figures['megabytes'].items()),
        total=sum(figures['megabytes'].values()),
        accuracies='\n'.join([
            row('portraits of things, among the 16 things', figures['things']),
            row('portraits of things and textures, among all 24 classes', figures['classes']),
            row('true masks in scenes, among all 24 classes', figures['masks'])]),
        denoising='\n'.join(
            '| {timestep} | {caption:.3f} | {empty:.3f} | {linear:.3f} | {zero:.3f} |'.format(**r)
            for r in figures['denoising']),
        count=figures['count'], portraits=figures['count'] // 4, **vae), encoding='utf-8')


def main() -> None:
    """Measure, and write the card."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', type=Path, default=Path('mmodise/weights/shapes'))
    parser.add_argument('--count', type=int, default=400, help='pictures to measure on')
    args = parser.parse_args()
    figures = measure(args.weights, args.count)
    write_card(figures, args.weights / 'README.md')
    print(json.dumps(figures, indent=2))


if __name__ == '__main__':
    main()
