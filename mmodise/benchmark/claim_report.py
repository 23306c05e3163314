"""The page of the claims, its table and pictures, from the records of finished runs.

Reads DOCS/claims/records.jsonl, which ``compare_claims`` fills, and writes DOCS/claims.md,
DOCS/images/claims.png and DOCS/images/claims_alpha_beta.png.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.config import Config

from ..evaluation import Spread, judge
from ..utils.paths import configs_folder
from .charts import draw_bars, draw_maps

CONFIGS = configs_folder()
BASELINE = 'recipe'
#: The lines of the table: config and what it is.
LINES = {
    BASELINE: ('odise/odise_sd-small_shapes-panoptic.py', 'recipe'),
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
GROUPS = 'base', 'novel', 'all'


class Claim(NamedTuple):
    """What the recipe is claimed to do better than other lines."""

    title: str
    paper: str
    others: tuple[str, ...]
    note: str = ''


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
          'head.'),
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

Figures are PQ in percent, mean ± sample standard deviation over seeds. "Head alone" is the same
model without `CLIPClassifier`, with in-vocabulary scores only. Cost: seconds an iteration of the
training (wall clock, median, of the fastest seed), GFLOPs of the backbone an image, forward and
backward (convolutions and matrix products), and the parameters trained, in millions."""

RULE = """A claim *shows* where the difference of the means is larger than the sum of both standard
deviations. That is a rule of thumb, not a test: the seeds are few, they change the head and the
order of the images, not the frozen models, and the data set is small."""


def iterations_of(line: str, max_iters: int | None = None) -> int:
    """How long a line is trained: as asked for, or else as its config says."""
    return max_iters or Config.fromfile(CONFIGS / LINES[line][0]).train_cfg.max_iters


def read_records(path: Path, max_iters: int | None = None) -> dict[str, dict[int, dict]]:
    """Read the records of trainings of the right length.

    Args:
        path (Path): Has a record a line; of several of one run the last one counts.
        max_iters (int, optional): Iterations; None, as the configs say. Defaults to None.

    Returns:
        dict[str, dict[int, dict]]: By line, then by seed; lines in the order of the table.
    """
    text = path.read_text(encoding='utf-8') if path.is_file() else ''
    records = {line: {} for line in LINES}
    names = {Path(config).stem: line for line, (config, _) in LINES.items()}
    lengths = {line: iterations_of(line, max_iters) for line in LINES}
    for record in map(json.loads, text.splitlines()):
        line = names.get(record['config'])
        if line and record['iterations'] == lengths[line]:
            records[line][record['seed']] = record
    return {line: dict(sorted(runs.items())) for line, runs in records.items()}


def quality(runs: dict[int, dict], group: str, scores: str = 'with_clip') -> Spread:
    """PQ of a group of classes over the seeds of a line."""
    return Spread.of(run[scores][group]['PQ'] for run in runs.values())


def cost(runs: dict[int, dict], key: str) -> float:
    """Smallest cost over the seeds of a line: other work on the machine only makes a run slower."""
    return min(run['cost'][key] for run in runs.values())


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table in Markdown, numbers to the right."""
    header = list(header)
    lines = [header, ['---'] + ['---:'] * (len(header) - 1), *rows]
    return '\n'.join('| ' + ' | '.join(map(str, line)) + ' |' for line in lines)


def main_table(records: dict[str, dict[int, dict]]) -> str:
    """All lines that have a record."""
    header = ['line', 'seeds', *GROUPS, *(f'{group}, head alone' for group in GROUPS),
              's / iteration', 'GFLOPs', 'trained, M']
    rows = [
        [LINES[line][1], len(runs),
         *(quality(runs, group, scores) for scores in ('with_clip', 'without_clip')
           for group in GROUPS),
         f'{cost(runs, "seconds_per_iteration"):.2f}', f'{cost(runs, "backbone_gflops"):.1f}',
         f'{cost(runs, "trained_parameters") / 1e6:.2f}']
        for line, runs in records.items() if runs
    ]
    return table(header, rows)


def conditions(records: dict[str, dict[int, dict]]) -> str:
    """When, where and how long."""
    runs = [run for line in records.values() for run in line.values()]

    def found(key: str) -> str:
        return ', '.join(str(value) for value in sorted({run[key] for run in runs}))

    return (f'Date: {found("date")}. Machine: {found("machine")}. Iterations: '
            f'{found("iterations")}, of {found("batch_size")} images. Seeds: {found("seed")}.')


def claim_section(claim: Claim, records: dict[str, dict[int, dict]]) -> str:
    """What the paper says of a claim, and what the records do."""
    ours = records[BASELINE]
    rows = []
    for line in claim.others:
        runs = records[line]
        verdicts = [judge(quality(ours, group), quality(runs, group)) for group in GROUPS]
        rows.append([f'recipe against {LINES[line][1]}', *(verdicts if runs else ['not run'] * 3)])
    text = f'## {claim.title}\n\nPaper: {claim.paper} {claim.note}'.rstrip() + '\n\n'
    text += table(['', *GROUPS], rows)
    if 'r18' in claim.others and ours and records['r18']:
        costs = [cost(runs, 'seconds_per_iteration') for runs in (ours, records['r18'])]
        text += ('\n\nCost: the recipe {:.2f}, the ResNet-18 {:.2f} seconds an iteration of the '
                 'training.'.format(*costs))
    return text


def ensemble_section(runs: dict[int, dict]) -> str:
    """Of the recipe with and without CLIPClassifier, and over its shares."""
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


def write_report(docs: Path, max_iters: int | None = None) -> Path:
    """Write page and pictures; returns the page.

    Raises:
        FileNotFoundError: If there is no record of such a training.
    """
    source = docs / 'claims/records.jsonl'
    records = read_records(source, max_iters)
    done = {line: runs for line, runs in records.items() if runs}
    if not done:
        length = max_iters or 'as many iterations as the configs say'
        raise FileNotFoundError(
            f'{source} has no record of a training of {length}: `mim run mmodise compare_claims`, '
            'or give the --max-iters that the records were made with')
    (docs / 'images').mkdir(parents=True, exist_ok=True)
    bars = {group: [quality(runs, group) for runs in done.values()] for group in GROUPS[:2]}
    draw_bars([LINES[line][1] for line in done], bars, docs / 'images/claims.png',
              title='Panoptic quality, mean and standard deviation over seeds', xlabel='PQ')
    if (grid := mean_grid(records[BASELINE])) is not None:
        steps, maps = grid
        draw_maps(
            {f'{group} PQ': values for group, values in maps.items()}, steps,
            docs / 'images/claims_alpha_beta.png', xlabel="alpha: CLIP's share, seen classes",
            ylabel="beta: CLIP's share, other classes",
            mark=next(iter(records[BASELINE].values()))['shares'], mark_name='the recipe')
    seeds = max(len(runs) for runs in done.values())
    page = docs / 'claims.md'
    page.write_text('\n\n'.join([
        INTRODUCTION.format(seeds=seeds), conditions(done), main_table(done),
        '![Base and novel PQ of each line](images/claims.png)', RULE,
        *(claim_section(claim, records) for claim in CLAIMS),
        ensemble_section(records[BASELINE])]) + '\n', encoding='utf-8')
    return page
