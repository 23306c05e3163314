"""Read golden sets of FC-CLIP, small ones and the one of full size; see their README.md."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from golden_files import GoldenFiles, settings_of, take, total_of
from golden_sets import Case, Golden, GoldenSet, TrainingStep
from golden_weights import generated_files
from PIL import Image

MODEL = 'fcclip'
#: What the READMEs of the sets suggest: of single pixels at a threshold, and of all that follows.
_POOLED = re.compile(
    r'(pred\.(aux\d+\.)?(mask_pooled|class_embed|pred_logits)|head\.|clip\.|fuse\.|final\.|out\.).*')
SMALL_TOLERANCE = 1e-3
# at full size, of what depends on the masks of the layers before
_LATE = re.compile(r'(pred\.(?!aux[01]\.)|head\.|clip\.|fuse\.|final\.|out\.).*')
LATE_TOLERANCE, FULL_TOLERANCE = 3e-4, 5e-3
#: What the arrays of another run on the same picture begin with.
RUNS = ('trainvocab', 'valid', 'semantic_only')


def read_fcclip(files: GoldenFiles, work_dir: Path) -> GoldenSet:
    """Read a set.

    Args:
        files (GoldenFiles): Its folder.
        work_dir (Path): Where weights are written.
    """
    meta, record = files.meta, files.json('golden.json')
    statistics, segments = record['tensors'], record['segments']
    constants = files.arrays('common.npz', statistics.get('common'), case='common')
    batch = {name: constants.pop(name) for name in list(constants) if name.startswith('batch.')}
    images = _images(files)
    settings = settings_of(meta, MODEL)
    is_full = isinstance(meta['arch']['clip'], str)
    cases = []
    for number, (name, image) in enumerate(images.items()):
        arrays = files.arrays(f'{name}.npz', statistics.get(name), MODEL, name)
        arrays = {key: replace(golden, tolerance=_tolerance(key, is_full))
                  for key, golden in arrays.items()}
        size = tuple(meta['out_hw'][number])
        settings.update(_switch(arrays))
        cases += _runs(meta, name, [image], [size], arrays, segments)
    if batch:
        arrays = {name.removeprefix('batch.'): golden for name, golden in batch.items()}
        cases.append(Case(
            MODEL, 'batch', [*images.values()], [*map(tuple, meta['out_hw'])], meta['vocab'],
            meta['things'], arrays, segments.get('batch', {})))
    steps = []
    if record.get('train') and files.has('train.npz'):
        steps.append(_step(files, record, [*images.values()]))
    if files.has('prompt_templates.json'):
        templates = json.loads((files.folder / 'prompt_templates.json').read_text('utf-8'))
        settings.update({f'{part}.prompt': templates for part in ('panoptic_head', 'classifier')})
    return GoldenSet(
        files.folder, meta, {MODEL: settings}, constants,
        [name for names in meta['vocab'] for name in names], cases, steps, [],
        generated_files(files.folder, work_dir))


def _switch(arrays: dict[str, Golden]) -> dict[str, bool]:
    """Whether the switch "ensemble on valid masks" is on, where the arrays tell.

    They hold a run with the switch where it is off.
    """
    if 'valid.mask_is_visible' not in arrays:
        return {}
    return {'classifier.valid_only': 'valid.fused_open_logits' not in arrays}


def _tolerance(name: str, is_full: bool) -> float | None:
    name = re.sub(rf'^({"|".join(RUNS)})\.', '', name)
    if is_full:
        if re.fullmatch(r'pred\.(aux\d+\.)?(mask_pooled|class_embed|pred_logits)', name):
            return FULL_TOLERANCE
        return LATE_TOLERANCE if _LATE.fullmatch(name) else None
    return SMALL_TOLERANCE if _POOLED.fullmatch(name) else None


def _images(files: GoldenFiles) -> dict[str, np.ndarray]:
    """What enters the network, uint8 RGB (3, H, W), by the names of the pictures' files."""
    if (files.folder / 'inputs.npz').is_file():
        inputs = files.load('inputs.npz')
        return {name: inputs[name.replace('img', 'image')] for name in files.names('img*.npz')}
    return {
        path.stem.removesuffix('_net'): np.asarray(Image.open(path).convert('RGB')).transpose(
            2, 0, 1) for path in sorted(files.folder.glob('*_net.png'))}


def _runs(
    meta: dict, name: str, images: list, sizes: list, arrays: dict[str, Golden], segments: dict,
) -> list[Case]:
    """The case of a picture, and those of other runs on it."""
    cases, own = [], segments.get(name, {})
    for run in RUNS:
        of_run = {key.removeprefix(f'{run}.'): arrays.pop(key) for key in list(arrays)
                  if key.startswith(f'{run}.') and key != 'valid.mask_is_visible'}
        if not of_run:
            continue
        known = {key.removeprefix(f'{run}.'): value for key, value in own.items()
                 if key.startswith(f'{run}.')}
        classes = meta['vocab'], meta['things']
        if run == 'trainvocab':
            classes = GoldenSet.classes_of_training(meta)
            known = known or segments.get(run, {})
        if run == 'valid':  # not named so in the arrays of the other runs
            of_run = {key.replace('fused', 'clip.fused') if key.startswith('fused') else key: golden
                      for key, golden in of_run.items()}
        if run == 'semantic_only':
            of_run = {f'out.{key}': golden for key, golden in of_run.items()}
        cases.append(Case(MODEL, f'{name}_{run}', images, sizes, *classes, of_run, known, run))
    own = {key: value for key, value in own.items() if re.fullmatch(r'thr[\d.]+', key)}
    return [Case(MODEL, name, images, sizes, meta['vocab'], meta['things'], arrays, own), *cases]


def _step(files: GoldenFiles, record: dict, images: list[np.ndarray]) -> TrainingStep:
    train = record['train']
    arrays = files.arrays('train.npz', record['tensors'].get('train'), MODEL, 'train')
    inputs = files.load('inputs.npz')
    gradients = {name: Golden(values, sampled=True) for name, values in zip(
        train['grad_norms'], arrays.pop('grad_samples').values, strict=True)}
    numbers = range(len(train['gt_classes']))
    return TrainingStep(
        MODEL, [images[number] for number in numbers],
        [inputs[f'masks{number}'] for number in numbers], train['gt_classes'], None, 0,
        take(arrays, r'rand\d+'), arrays, train['losses_weighted'], total_of(train),
        train['matching'], gradients, train['grad_norms'])
