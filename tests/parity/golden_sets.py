"""Golden sets: what the official model computes, in one form whatever the layout of the files.

There are three layouts, each described by the README.md of such a folder: 'mini' (small models,
weights generated from their names), 'open' (small models, weights stored) and 'full' (one model of
full size, weights generated).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from golden_weights import generated_files
from mmdet.datasets import CocoPanopticDataset

Classes = list[list[str]]


@dataclass(frozen=True)
class Golden:
    """An array of the official model: whole, or a sample of it.

    Args:
        values (ndarray): All values, or those of a sample, flat.
        largest (float, optional): Largest magnitude in the whole array; by default that of
            ``values``.
        sampled (bool): Whether ``values`` are a sample.
    """

    values: np.ndarray
    largest: float | None = None
    sampled: bool = False

    def places(self, size: int) -> np.ndarray:
        """Where in an array of ``size`` elements the values are from; flat, in C order."""
        count = np.arange(min(self.values.size, size), dtype=np.int64)
        return count * 2654435761 % size if self.sampled else count


@dataclass
class Case:
    """An image that is labelled with a vocabulary; classes in the set's own order.

    Args:
        model (str): 'label' or 'caption'.
        name (str): Of the input.
        image (ndarray): What enters the network, RGB, uint8, (3, H, W).
        size (tuple[int, int]): Height and width of the results.
        classes (list[list[str]]): Names of each class.
        things (list[int]): Which classes are things.
        arrays (dict[str, Golden]): What the official model made of it.
        segments (dict[str, list]): Segments of the panoptic maps, by threshold ('thr0.8').
    """

    model: str
    name: str
    image: np.ndarray
    size: tuple[int, int]
    classes: Classes
    things: list[int]
    arrays: dict[str, Golden]
    segments: dict[str, list[dict]]


@dataclass
class Photo:
    """An image as it is in its file, and as it enters the network.

    Args:
        name (str): Of the input.
        image (ndarray): RGB, uint8, (H, W, 3).
        scale (tuple[int, int]): Most pixels of the long side, and of the short one.
        resized (Golden): What the official release makes of it, uint8, (3, h, w).
    """

    name: str
    image: np.ndarray
    scale: tuple[int, int]
    resized: Golden


@dataclass
class TrainingStep:
    """A step of training over a batch; the classes are those of the training.

    Args:
        model (str): 'label' or 'caption'.
        images (list[ndarray]): RGB, uint8, (3, H, W) each.
        masks (list[ndarray]): Bool, (n, H, W) each.
        labels (list[list[int]]): Class of each mask.
        words (list[list[str]], optional): Of the captions; empty where none is valid.
        random (list[ndarray]): All that was drawn, in the official model's order.
        arrays (dict[str, Golden]): Stages.
        losses (dict[str, float]): Weighted.
        total (float): Their sum.
        matching (list): For each prediction and image, indices of queries and of masks.
        gradients (dict[str, Golden]): Whole or sampled, by official names.
        gradient_norms (dict[str, float]): By official names.
        noise (dict[str, float]): Error of a gradient to expect of another machine, over its
            largest value; under '' what holds for all others.
        norm_noise (dict[str, float]): The same of the norms, over the norm.
    """

    model: str
    images: list[np.ndarray]
    masks: list[np.ndarray]
    labels: list[list[int]]
    words: list[list[str]] | None
    random: list[np.ndarray]
    arrays: dict[str, Golden]
    losses: dict[str, float]
    total: float
    matching: list
    gradients: dict[str, Golden]
    gradient_norms: dict[str, float]
    noise: dict[str, float] = field(default_factory=dict)
    norm_noise: dict[str, float] = field(default_factory=dict)


@dataclass
class GoldenSet:
    """A folder of golden data.

    Args:
        meta (dict): Its ``meta.json``.
        models (dict[str, dict]): For each model what deviates from the recipe's ``alpha`` and
            ``beta``.
        constants (dict[str, Golden]): Arrays that belong to no image.
        texts (list[str]): What the arrays of texts among the constants are of.
        cases (list[Case]): Images.
        steps (list[TrainingStep]): Steps of training.
        photos (list[Photo]): What images are made of.
        write (Callable): Gives the path of a weights file in the original format: 'sd', 'clip', or
            the name of a model.
    """

    meta: dict
    models: dict[str, dict]
    constants: dict[str, Golden]
    texts: list[str]
    cases: list[Case]
    steps: list[TrainingStep]
    photos: list[Photo]
    write: Callable[[str], Path]

    @property
    def training_classes(self) -> tuple[Classes, list[int]]:
        """Classes of the training, and which of them are things."""
        classes = self.meta['train_labels']
        things = self.meta.get('train_things')
        if things is None:  # the sets of full size are of COCO
            known = CocoPanopticDataset.METAINFO['thing_classes']
            things = [i for i, names in enumerate(classes) if names[0] in known]
        return classes, things


def read_golden_set(folder: Path, work_dir: Path) -> GoldenSet:
    """Read a golden set of any layout.

    Args:
        folder (Path): With a ``meta.json``.
        work_dir (Path): Where weights that have to be generated are written.

    Raises:
        FileNotFoundError: If the folder is no golden set; says what was looked for.
    """
    if not (folder / 'meta.json').is_file():
        raise FileNotFoundError(f'{folder} is no golden set: it has no meta.json.')
    if (folder / 'images.npz').is_file():
        return _read_open(folder)
    if (folder / 'inputs.npz').is_file():
        return _read_mini(folder, work_dir)
    if list(folder.glob('keys_odise_*.json')):
        return _read_full(folder, work_dir)
    raise FileNotFoundError(
        f'{folder} has the layout of no golden set that is known: neither images.npz (open), nor '
        'inputs.npz (mini), nor keys_odise_*.json (full).')


def _json(path: Path) -> dict:
    return json.loads(path.read_text(encoding='utf-8'))


def _arrays(path: Path, statistics: dict | None = None, prefix: str = '') -> dict[str, Golden]:
    """The arrays of a file that are results; ``statistics`` tell which of them are samples."""
    arrays = {}
    with np.load(path) as file:
        for name in file:
            values = file[name]
            if name.endswith('_packed'):
                values = np.unpackbits(values).astype(bool)
            known = (statistics or {}).get(name, {})
            arrays[name.removeprefix(prefix).removesuffix('_packed')] = Golden(
                values, known.get('absmax'), not known.get('complete', True))
    return arrays


def _pop(arrays: dict[str, Golden], pattern: str) -> list[np.ndarray]:
    """Take the arrays out whose names fit, in the order of their names."""
    return [arrays.pop(name).values for name in sorted(arrays) if re.fullmatch(pattern, name)]


def _read_open(folder: Path) -> GoldenSet:
    meta, floor = _json(folder / 'meta.json'), _json(folder / 'noise_floor.json')
    images = np.load(folder / 'images.npz')
    models = {kind: {} for kind in ('label', 'caption') if (folder / kind).is_dir()}
    cases, steps = [], []
    for kind in models:
        summary = _json(folder / kind / 'summary.json')
        for file in sorted((folder / kind).glob('img*.npz')):
            name = file.stem
            number = re.match(r'img(\d+)', name)[1]
            training = name.endswith('_trainvocab')
            segments = {key.removeprefix(f'{name}.'): value for key, value in summary.items()
                        if key.startswith(f'{name}.thr')}
            if training:
                segments = {'thr0.8': _json(file.with_name(f'{name}_segments.json'))}
            classes = meta['train_labels' if training else 'vocab']
            things = meta['train_things' if training else 'things']
            cases.append(Case(
                kind, name, images[f'net{number}'], images[f'orig{number}'].shape[:2], classes,
                things, _arrays(file), segments))
        arrays = _arrays(folder / kind / 'train.npz', prefix='train.')
        gradients = {name: arrays.pop(name) for name in list(arrays) if name.startswith('grad.')}
        noise = {
            name.removeprefix('grad.'): error / max(largest, 1e-12)
            for name, (error, largest) in floor[f'{kind}/train'].items()
            if name.startswith('grad.')}
        record = summary['train']
        steps.append(TrainingStep(
            kind, _pop(arrays, r'image\d+'), _pop(arrays, r'gt_masks\d+'),
            [labels.tolist() for labels in _pop(arrays, r'gt_classes\d+')], _words(record),
            _pop(arrays, r'rand\d+'), arrays, record['losses_weighted'],
            record.get('total', sum(record['losses_weighted'].values())), record['matching'],
            {name.removeprefix('grad.'): golden for name, golden in gradients.items()},
            record['grad_norms_trainable'], noise))
    photos = [
        Photo(f'img{i}', images[f'orig{i}'], (sizes['max'], sizes['short']),
              Golden(images[f'net{i}'])) for i, sizes in enumerate(meta['images'])]
    files = dict(sd='sd_tiny.ckpt', clip='clip_tiny.pt')
    return GoldenSet(
        meta, models, _arrays(folder / 'text_and_constants.npz'), meta['text'], cases, steps,
        photos, lambda name: folder / files.get(name, f'{name}/odise_{name}.pth'))


def _read_mini(folder: Path, work_dir: Path) -> GoldenSet:
    meta, floor = _json(folder / 'meta.json'), _json(folder / 'noise_floor.json')
    inputs = np.load(folder / 'inputs.npz')
    numbers = range(len(meta['net_hw']))
    models, cases, steps, shared = {}, [], [], {}
    for kind in ('label', 'caption'):
        if not (folder / f'{kind}.json').is_file():
            continue
        record = _json(folder / f'{kind}.json')
        models[kind] = dict(alpha=record['alpha'], beta=record['beta'])
        for number in numbers:
            name = f'img{number}'
            arrays = _arrays(folder / f'{kind}_{name}.npz', record['tensors'][name])
            # what depends on the frozen networks only is stored once
            frozen = shared.setdefault(name, {
                key: golden for key, golden in arrays.items() if _is_frozen(key)})
            cases.append(Case(
                kind, name, inputs[f'image{number}'], tuple(meta['out_hw'][number]), meta['vocab'],
                meta['things'], {**frozen, **arrays}, record['segments'][name]))
        train, noise = record['train'], floor[kind]['train']
        arrays = _arrays(folder / f'{kind}_train.npz', record['tensors']['train'])
        samples = arrays.pop('grad_samples').values
        gradients = {name: Golden(values, sampled=True) for name, values in
                     zip(train['grad_norms'], samples, strict=True)}
        steps.append(TrainingStep(
            kind, [inputs[f'image{number}'] for number in numbers],
            [inputs[f'masks{number}'] for number in numbers], train['gt_classes'], _words(train),
            _pop(arrays, r'rand\d+'), arrays, train['losses_weighted'],
            train.get('total', sum(train['losses_weighted'].values())), train['matching'],
            gradients, train['grad_norms'], {'': noise['grad_max_diff_over_max']['worst']},
            noise['grad_norm_rel_diff']))
    constants = _arrays(folder / 'common.npz')
    whole = math.prod(meta['uncond_inputs_shape'])
    uncond = constants['uncond_inputs']
    constants['uncond_inputs'] = replace(uncond, sampled=uncond.values.size < whole)
    return GoldenSet(
        meta, models, constants, _names(meta['vocab']), cases, steps,
        [], generated_files(folder, work_dir, lambda entry: entry[0]))


def _read_full(folder: Path, work_dir: Path) -> GoldenSet:
    meta = _json(folder / 'meta.json')
    kinds = [file.stem.removeprefix('keys_odise_') for file in folder.glob('keys_odise_*.json')]
    cases, constants = [], {}
    for kind in kinds:
        for name, sizes in meta['inputs'].items():
            arrays = _arrays(folder / f'{name}.npz', meta['tensors'].get(name))
            image = arrays.pop('net').values
            constants.update({key: arrays.pop(key) for key in list(arrays) if '.' not in key
                              or key.startswith('tokens.')})
            cases.append(Case(
                kind, name, image, tuple(sizes['out']), meta['vocab'], meta['things'], arrays,
                meta['segments'][name]))
            name = f'{name}_trainvocab'
            if (folder / f'{name}.npz').is_file():
                arrays = _arrays(folder / f'{name}.npz', meta['tensors'].get(name))
                cases.append(Case(
                    kind, name, image, tuple(sizes['out']), meta['train_labels'], [], arrays,
                    meta['segments'][name]))
    golden = GoldenSet(
        meta, {kind: dict(alpha=meta['alpha'], beta=meta['beta']) for kind in kinds}, constants,
        _names(meta['vocab']), cases, [],
        [], generated_files(folder, work_dir, lambda entry: entry['shape']))
    for case in cases:
        if case.name.endswith('_trainvocab'):
            case.things = golden.training_classes[1]
    return golden


def _names(classes: Classes) -> list[str]:
    return [name for names in classes for name in names]


def _is_frozen(name: str) -> bool:
    """Whether a stage of the mini layout is stored for the label model only."""
    return bool(re.fullmatch(
        r'win\d+\.(crop|clip_input|prefix|vae_h|enc\d|latent|noisy_latent|timesteps|dec\d'
        r'|dec_image)', name))


def _words(record: dict) -> list[list[str]] | None:
    """The words of each image of a batch; none where they are not valid."""
    if 'drawn_words' not in record:
        return None
    valid = record['word_valid_mask']
    return [words if all(flags) else [] for words, flags in
            zip(record['drawn_words'], valid, strict=True)]
