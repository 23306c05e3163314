"""The paper's claims, on the embedded data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...evaluation import judge
from ..charts import draw_maps
from ..comparison import (
    BASELINE,
    FIGURES,
    GROUPS,
    RECIPE,
    Claim,
    Comparison,
    Records,
    quality,
    table,
)

#: The lines of the table: config and what it is.
LINES = {
    BASELINE: RECIPE,
    'random': ('claims/odise_sd-small-random_shapes-panoptic.py', 'random diffusion model'),
    'empty-caption': ('claims/odise_sd-small-empty-caption_shapes-panoptic.py', 'empty caption'),
    'no-noise': ('claims/odise_sd-small-no-noise_shapes-panoptic.py', 'no noise'),
    't100': ('claims/odise_sd-small-t100_shapes-panoptic.py', 'timestep 100'),
    't300': ('claims/odise_sd-small-t300_shapes-panoptic.py', 'timestep 300'),
    't600': ('claims/odise_sd-small-t600_shapes-panoptic.py', 'timestep 600'),
    'unet-only': ('claims/odise_sd-small-unet-only_shapes-panoptic.py', 'UNet alone'),
    'vae-only': ('claims/odise_sd-small-vae-only_shapes-panoptic.py', 'VAE alone'),
    'r18': ('odise/odise_r18_shapes-panoptic.py', 'ResNet-18'),
    'caption': ('odise/odise-caption_sd-small_shapes-panoptic.py', 'caption supervision'),
}

CLAIMS = (
    Claim('Trained against random diffusion model',
          'features of a diffusion model trained on text and images of the internet do better than '
          "those of any other pre-trained model compared (Table 3; ADE20K PQ 23.3, CLIP's own "
          '21.2). A random one is not among them.', ('random', )),
    Claim('Implicit captioner against the empty caption',
          'ADE20K PQ 23.3 against 21.8, COCO 44.2 against 43.5 (Table 4).', ('empty-caption', )),
    Claim('Timestep 0 against larger ones',
          'features are taken at timestep 0; the comparison is in its supplement.',
          ('t100', 't300', 't600', 'no-noise')),
    Claim('Features of UNet and VAE against either alone',
          "speaks of the UNet's features only. The official release reads the VAE's as well; how "
          'much they give is not reported.', ('unet-only', 'vae-only'),
          'The UNet has no map of stride 4, the VAE none of strides 16 and 32: alone, their maps '
          'are spread over the four levels. The VAE alone has no use for a captioner.'),
    Claim('Against a ResNet-18',
          'no discriminative model of Table 3 reaches the diffusion model.', ('r18', ),
          'Those are large, pre-trained and frozen. This one is trained from scratch, with the '
          'head.', with_cost=True),
    Claim('Label against caption supervision',
          'COCO PQ 55.4 against 45.6, ADE20K 22.6 against 23.4 (Table 1).', ('caption', ),
          'Caption supervision sees the masks of base classes and captions, and not one label. It '
          'has its own number of queries, 20 for 12, and its own shares of CLIP, alpha 0.5 and '
          'beta 0.7 for 0.4 and 0.6.'),
)

INTRODUCTION = """# The paper's claims on the embedded data set

*Written by `python tools/analysis_tools/compare_claims.py`; not by hand.*

Does what the paper claims show at the size of a toy? Each line of the table is one config, trained
on the embedded data set from {seeds} random seeds and evaluated on its validation images. *Recipe*
is `configs/odise/odise_sd-small_shapes-panoptic.py`: trained diffusion model, implicit captioner,
timestep 0, features of UNet and VAE. Every other line changes one thing of it, see
[configs/claims](../configs/claims). *Base* classes are annotated in the training, *novel* ones
never.

""" + FIGURES


def ensemble_section(records: Records, docs: Path) -> str:
    """Of the recipe with and without CLIPClassifier, and over its shares, with a picture."""
    runs = records[BASELINE]
    verdicts = [judge(quality(runs, group), quality(runs, group, 'without_clip'))
                for group in GROUPS]
    text = (
        '## With and without CLIP\n\nPaper: the class of a mask is decided by the geometric mean '
        "of the head's in-vocabulary scores and CLIP's out-of-vocabulary ones; the official "
        'release gives CLIP 0.3 of it for classes seen in training (alpha) and 0.7 for all others '
        '(beta).\n\n'
        + table(['', *GROUPS], [['recipe against its head alone', *verdicts]]))
    grid = mean_grid(runs)
    if grid is None:
        return text
    steps, maps = grid
    draw_maps(
        {f'{group} PQ': values for group, values in maps.items()}, steps,
        docs / 'images/claims_alpha_beta.png', xlabel="alpha: CLIP's share, seen classes",
        ylabel="beta: CLIP's share, other classes",
        mark=next(iter(runs.values()))['shares'], mark_name='the recipe')
    best = []
    for group, values in maps.items():
        if values.max() == values.min():
            best.append(f'{group} PQ is {values.max():.1f} everywhere')
            continue
        beta, alpha = np.unravel_index(values.argmax(), values.shape)
        best.append(f'{group} PQ is largest, {values.max():.1f}, at alpha {steps[alpha]:.1f} and '
                    f'beta {steps[beta]:.1f}')
    return text + (
        '\n\n![Base and novel PQ over alpha and beta](images/claims_alpha_beta.png)\n\n'
        f"Mean over seeds: {'; '.join(best)}. Chosen on the images it is measured on, the largest "
        'is an upper bound. At 0 and 0 the head is alone, at 1 and 1 CLIP.')


def mean_grid(runs: dict[int, dict]) -> tuple[list[float], dict[str, np.ndarray]] | None:
    """Steps of alpha and beta, and PQ of base and novel classes, mean over the seeds.

    None if no run has been evaluated over the grid, or if their grids differ. PQ is an array over
    (beta, alpha).
    """
    grids = [run['grid'] for run in runs.values() if 'grid' in run]
    if not grids or len({len(grid) for grid in grids}) > 1:
        return None
    steps = sorted({point['alpha'] for point in grids[0]})
    maps = {}
    for group in GROUPS[:2]:
        values = np.array([[point[group] for point in grid] for grid in grids], dtype=float)
        maps[group] = values.mean(axis=0).reshape(len(steps), len(steps)).T
    return steps, maps


COMPARISON = Comparison(
    'claims', LINES, CLAIMS, INTRODUCTION, grid=10, extra=ensemble_section)
