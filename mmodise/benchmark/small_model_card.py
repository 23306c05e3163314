"""The card of the small frozen models: figures, drawn samples and its text."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

import torch
from diffusers import StableDiffusionPipeline
from matplotlib.figure import Figure
from tqdm import tqdm, trange

from ..datasets.shapes_world import STUFF, THINGS, draw_picture
from ..models import CLIPClassifier, FrozenCLIP
from .small_model_quality import (
    SEED,
    denoising,
    masks_in_scenes,
    reconstruction,
    to_tensor,
    zero_shot,
)

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
python tools/small_models/train_small_models.py clip  # contrastive loss, most patches left out
python tools/small_models/train_small_models.py vae   # absolute error and KL divergence
python tools/small_models/train_small_models.py unet  # noise, a tenth of the captions left out
python tools/small_models/evaluate_small_models.py    # writes this card
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
    classifier = CLIPClassifier(dict(type='FrozenCLIP', model=str(weights / 'clip')))
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
        masks=masks_in_scenes(classifier, count),
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
