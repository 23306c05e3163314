"""What features of other generators cost, and give on the embedded data set."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from ..comparison import BASELINE, CONFIGS, FIGURES, Claim, Comparison, Records, table
from ..generator_costs import GeneratorCost, measure_generator
from ..random_weights import random_weights

_SMALL = 'odise/odise_{}-small_shapes-panoptic.py'
_FULL = 'odise/odise_{}_32xb2-lsj-50e_coco-panoptic.py'
#: The lines of the table: config and what it is.
LINES = {
    BASELINE: (_SMALL.format('sd'), 'Stable Diffusion 1.x (recipe)'),
    'sdxl': (_SMALL.format('sdxl'), 'Stable Diffusion XL'),
    'sd3': (_SMALL.format('sd3'), 'Stable Diffusion 3'),
    'amused': (_SMALL.format('amused'), 'aMUSEd'),
}
#: Config at full size by title.
FULL_SIZE = {
    'Stable Diffusion 1.x': _FULL.format('sd-v1'),
    'Stable Diffusion XL': _FULL.format('sdxl'),
    'Stable Diffusion 3': _FULL.format('sd3'),
    'aMUSEd, 512 pixels': _FULL.format('amused-512'),
}
CLAIMS = (
    Claim('Against Stable Diffusion 1.x', '', ('sdxl', 'sd3', 'amused'),
          'Other networks of about the same size, taught the same pictures for about as long: the '
          'differences say as much of how well each learns in that time as of its kind.',
          reverse=True),
)

_NEEDS = table(
    ['extractor', 'weights', 'reads', 'told of a picture', 'noise'], [
        ['`StableDiffusionExtractor`',
         'Stable Diffusion 1.x, 2.x: folder, single file, hub; with `unet_weights` a UNet that was '
         'tuned for images without noise (CleanDIFT)',
         'VAE encoder, UNet and its attention, VAE decoder', 'text, time',
         '`timesteps`, one pass each'],
        ['`StableDiffusionXLExtractor`', 'SDXL: folder, single file, hub', 'likewise',
         'text of two encoders, pooled text, sizes, time', 'likewise'],
        ['`DiffusionTransformerExtractor`',
         'Stable Diffusion 3: folder, hub; T5 if it is there',
         'VAE encoder, transformer and its attention, VAE decoder', 'text, pooled text, time',
         '`timesteps` of a rectified flow'],
        ['`TokenDiffusionExtractor`', 'aMUSEd: folder, hub',
         'VQ encoder, transformer and its attention', 'text, pooled text',
         '`mask_shares` of tokens']], of_numbers=False)

INTRODUCTION = """# Features of other generators

*Written by `python tools/analysis_tools/compare_claims.py --table generators`; not by hand.*

`DiffusionBackbone` takes the inner maps of any `FeatureExtractor`. `mim run mmodise probe_features`
ranks them, see [probing.md](probing.md).

{needs}

All read variants of half precision, run their text encoders once, for the empty caption, and drop
them; drop what comes after the last map that is read; and let gradients through to the captioner.
A Stable Diffusion 3 without `text_encoder_3/` needs no T5: its part of the text is zeros, as in
diffusers' pipeline.

## On the embedded data set

Each line of the table is one config with a small generator that `train_small_models.py` has taught
the shapes world, trained from {seeds} random seeds and evaluated on the validation images. Head,
CLIP and schedule are the same. *Base* classes are annotated in the training, *novel* ones never.

""".replace('{needs}', _NEEDS) + FIGURES


def cost_section(records: Records, docs: Path) -> str:
    """What the generators cost at full size, measured on the meta device."""
    rows = []
    with random_weights():
        for title, config in FULL_SIZE.items():
            cost = measure_generator(Config.fromfile(CONFIGS / config).model.backbone.extractor)
            rows.append([title, cost.image_size, *_in_units(cost)])
    header = ['generator', 'pixels', 'parameters, M', 'weights, GiB', 'TFLOP', 'with gradients',
              'memory, GiB', 'with gradients']
    return f"""## At full size

Of one square image, as the configs for COCO read it, in float32: parameters that are kept;
operations of matrix products, convolutions and attention; the most memory that a pass takes beside
the weights, without and with gradients to the captioner. Found on the meta device, without a
number computed: what a device's own kernels need beside it is not in it.

{table(header, rows)}"""


def _in_units(cost: GeneratorCost) -> list[str]:
    return [
        f'{cost.parameters / 1e6:,.0f}', f'{cost.weights / 2**30:.2f}',
        f'{cost.forward_flops / 1e12:.2f}', f'{cost.training_flops / 1e12:.2f}',
        f'{cost.forward_bytes / 2**30:.2f}', f'{cost.training_bytes / 2**30:.2f}']


COMPARISON = Comparison(
    'generators', LINES, CLAIMS, INTRODUCTION, a_claim='A gain', extra=cost_section,
    borrows=('claims', ))
