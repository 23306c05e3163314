"""Read the layouts of golden sets.

Each is described by the README.md of such a folder. Of ODISE: 'mini' (small models, weights
generated from their names), 'open' (small models, weights stored) and 'full' (one model of full
size, weights generated). Those of FC-CLIP are read elsewhere.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from golden_fcclip import read_fcclip
from golden_files import GoldenFiles, settings_of, take, total_of
from golden_sets import Case, Classes, Golden, GoldenSet, Photo, TrainingStep
from golden_weights import generated_files

KINDS = ('label', 'caption')


def read_golden_set(folder: Path, work_dir: Path) -> GoldenSet:
    """Read a golden set of any layout.

    Args:
        folder (Path): With a ``meta.json``.
        work_dir (Path): Where weights that have to be generated are written.

    Raises:
        FileNotFoundError: If the folder is no golden set; says what was looked for.
        ValueError: If it was made with a setting that our models do not have.
    """
    if not (folder / 'meta.json').is_file():
        raise FileNotFoundError(f'{folder} is no golden set: it has no meta.json.')
    files = GoldenFiles(folder)
    if files.meta.get('resize_antialias'):
        raise ValueError(
            f'{folder}/meta.json has resize_antialias=true: windows were resized with '
            'antialiasing, which our models, like the official release as published, do not do.')
    if (folder / 'keys_fcclip.json').is_file():
        golden = read_fcclip(files, work_dir)
    elif (folder / 'images.npz').is_file():
        golden = _read_open(files)
    elif (folder / 'inputs.npz').is_file():
        golden = _read_mini(files, work_dir)
    elif list(folder.glob('keys_odise_*.json')):
        golden = _read_full(files, work_dir)
    else:
        raise FileNotFoundError(
            f'{folder} has the layout of no golden set that is known: neither images.npz (open), '
            'nor inputs.npz (mini), nor keys_odise_*.json (full), nor keys_fcclip.json (FC-CLIP).')
    golden.unread = files.unread()
    return golden


def _read_open(files: GoldenFiles) -> GoldenSet:
    meta, folder = files.meta, files.folder
    floor, images = files.json('noise_floor.json', {}), files.load('images.npz')
    models, cases, steps = {}, [], []
    for kind in KINDS:
        if not (folder / kind).is_dir():
            continue
        summary = files.json(f'{kind}/summary.json')
        models[kind] = settings_of(meta, kind, summary)
        for name in files.names(f'{kind}/img*.npz'):
            if not (match := re.fullmatch(r'img(\d+)(_trainvocab)?', name)):
                continue
            segments = {key.removeprefix(f'{name}.'): value for key, value in summary.items()
                        if key.startswith(f'{name}.thr')}
            if match[2]:
                segments = {'thr0.8': files.json(f'{kind}/{name}_segments.json')}
            cases.append(Case(
                kind, name, [images[f'net{match[1]}']], [images[f'orig{match[1]}'].shape[:2]],
                *_vocabulary(meta, match[2]), files.arrays(f'{kind}/{name}.npz'), segments))
        if 'train' in summary and files.has(f'{kind}/train.npz'):
            steps.append(_open_step(files, kind, summary['train'], floor.get(f'{kind}/train', {})))
    photos = [
        Photo(f'img{i}', images[f'orig{i}'], (sizes['max'], sizes['short']),
              Golden(images[f'net{i}'])) for i, sizes in enumerate(meta['images'])
        if 'short' in sizes]
    weights = dict(sd='sd_tiny.ckpt', clip='clip_tiny.pt')
    return GoldenSet(
        files.folder, meta, models, files.arrays('text_and_constants.npz'), meta.get('text', []),
        cases, steps, photos, lambda name: folder / weights.get(name, f'{name}/odise_{name}.pth'))


def _open_step(files: GoldenFiles, kind: str, record: dict, floor: dict) -> TrainingStep:
    arrays = files.arrays(f'{kind}/train.npz', prefix='train.')
    gradients = {name: arrays.pop(name) for name in list(arrays) if name.startswith('grad.')}
    noise = {
        name.removeprefix('grad.'): error / max(largest, 1e-12)
        for name, (error, largest) in floor.items() if name.startswith('grad.')}
    return TrainingStep(
        kind, take(arrays, r'image\d+'), take(arrays, r'gt_masks\d+'),
        [labels.tolist() for labels in take(arrays, r'gt_classes\d+')], *_words(record),
        take(arrays, r'rand\d+'), arrays, record['losses_weighted'], total_of(record),
        record['matching'],
        {name.removeprefix('grad.'): golden for name, golden in gradients.items()},
        record['grad_norms_trainable'], noise)


def _read_mini(files: GoldenFiles, work_dir: Path) -> GoldenSet:
    meta, floor = files.meta, files.json('noise_floor.json', {})
    inputs = files.load('inputs.npz')
    models, cases, steps, shared = {}, [], [], {}
    for kind in KINDS:
        if not (files.folder / f'{kind}.json').is_file():
            continue
        record = files.json(f'{kind}.json')
        models[kind] = settings_of(meta, kind, record)
        for file in files.names(f'{kind}_img*.npz'):
            name = file.removeprefix(f'{kind}_')
            if not (match := re.fullmatch(r'img(\d+)(_trainvocab)?', name)):
                continue
            arrays = files.arrays(f'{file}.npz', record['tensors'].get(name), kind, name)
            if not match[2]:  # what depends on the frozen networks only is stored once
                first, frozen = shared.setdefault(name, (kind, arrays))
                arrays = {**{key: golden for key, golden in frozen.items() if is_frozen(
                    key, *(timesteps_of(models[model]) for model in (first, kind)))}, **arrays}
            number = int(match[1])
            cases.append(Case(
                kind, name, [inputs[f'image{number}']], [tuple(meta['out_hw'][number])],
                *_vocabulary(meta, match[2]), arrays, record['segments'].get(name, {})))
        if 'train' in record and files.has(f'{kind}_train.npz'):
            steps.append(_mini_step(
                files, kind, record, inputs, floor.get(kind, {}).get('train', {})))
    constants = files.arrays('common.npz')
    for name, golden in constants.items():
        size = math.prod(meta.get(f'{name}_shape', golden.values.shape))
        constants[name] = Golden(golden.values, sampled=golden.values.size < size, size=size)
    return GoldenSet(
        files.folder, meta, models, constants, _names(meta['vocab']), cases, steps, [],
        generated_files(files.folder, work_dir))


def _mini_step(
    files: GoldenFiles, kind: str, record: dict, inputs: dict, floor: dict
) -> TrainingStep:
    train = record['train']
    numbers = range(len(train['gt_classes']))
    arrays = files.arrays(f'{kind}_train.npz', record['tensors'].get('train'), kind, 'train')
    samples = arrays.pop('grad_samples').values
    gradients = {name: Golden(values, sampled=True) for name, values in
                 zip(train['grad_norms'], samples, strict=True)}
    noise = floor.get('grad_max_diff_over_max', {}).get('worst', 0)
    return TrainingStep(
        kind, [inputs[f'image{number}'] for number in numbers],
        [inputs[f'masks{number}'] for number in numbers], train['gt_classes'], *_words(train),
        take(arrays, r'rand\d+'), arrays, train['losses_weighted'], total_of(train),
        train['matching'], gradients, train['grad_norms'], {'': noise},
        floor.get('grad_norm_rel_diff', {}))


def _read_full(files: GoldenFiles, work_dir: Path) -> GoldenSet:
    meta = files.meta
    kinds = [name.removeprefix('keys_odise_') for name in files.names('keys_odise_*.json')]
    cases, constants = [], {}
    for kind in kinds:
        for name, sizes in meta['inputs'].items():
            arrays = files.arrays(f'{name}.npz', meta['tensors'].get(name), kind, name)
            if 'net' not in arrays:
                continue
            image = arrays.pop('net').values
            constants.update({key: arrays.pop(key) for key in list(arrays) if '.' not in key
                              or key.startswith('tokens.')})
            cases.append(Case(
                kind, name, [image], [tuple(sizes['out'])], *_vocabulary(meta), arrays,
                meta['segments'].get(name, {})))
            name = f'{name}_trainvocab'
            if (files.folder / f'{name}.npz').is_file():
                arrays = files.arrays(f'{name}.npz', meta['tensors'].get(name), kind, name)
                cases.append(Case(
                    kind, name, [image], [tuple(sizes['out'])], *_vocabulary(meta, '_trainvocab'),
                    arrays, meta['segments'].get(name, {})))
    return GoldenSet(
        files.folder, meta, {kind: settings_of(meta, kind) for kind in kinds}, constants,
        _names(meta['vocab']), cases, [], [], generated_files(files.folder, work_dir))


def _vocabulary(meta: dict, of_training: str | None = None) -> tuple[Classes, list[int]]:
    """Classes of a case, and which of them are things."""
    return GoldenSet.classes_of_training(meta) if of_training else (meta['vocab'], meta['things'])


def _names(classes: Classes) -> list[str]:
    return [name for names in classes for name in names]


def timesteps_of(settings: dict) -> list[int]:
    """The timesteps of a model, from its entry in :attr:`GoldenSet.models`."""
    return list(settings.get('backbone.extractor.timesteps', [0]))


def is_frozen(name: str, first: list[int], own: list[int]) -> bool:
    """Whether a stage of the mini layout is stored for the first model only.

    Args:
        name (str): Of the stage.
        first (list[int]): Timesteps of the first model.
        own (list[int]): Timesteps of the model that is read.
    """
    if match := re.fullmatch(r'win\d+\.(step(\d+)\.)?(noisy_latent|timesteps)', name):
        step = int(match[2] or 0)
        return first[step : step + 1] == own[step : step + 1]
    return bool(re.fullmatch(
        r'win\d+\.(crop|extractor_img|clip_input|prefix|vae_h|enc\d+|latent|dec\d+|dec_image)',
        name))


def _words(record: dict) -> tuple[list[list[str]] | None, int]:
    """The words of each image of a batch, none where they are not valid; and how many they are."""
    if 'drawn_words' not in record:
        return None, 0
    drawn, valid = record['drawn_words'], record['word_valid_mask']
    words = [words if flags and all(flags) else []
             for words, flags in zip(drawn, valid, strict=True)]
    return words, max(map(len, valid), default=0)
