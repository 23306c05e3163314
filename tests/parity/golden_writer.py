"""Write golden sets in the 'mini' layout of what our own models compute, with other settings.

They show that the comparison reads every set of this form; not that the models are right.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import open_clip
import torch
from golden_layouts import is_frozen, read_golden_set, timesteps_of
from golden_sets import Case, Golden, GoldenSet, TrainingStep
from golden_weights import load_recipe
from mmdet.evaluation.functional import INSTANCE_OFFSET
from parity_stages import ClassOrder, Stages, inference_stages
from parity_training import training_stages
from verify_parity import build, compared_constants, gradients_of, without_checkpoint

from mmodise.checkpoints.official import to_official
from mmodise.models import ODISE

ALPHA, BETA = 0.4, 0.6
_WHOLE = 1024  # elements of an array that is stored as a whole
_LOSSES = dict(loss_cls='loss_ce', loss_grounding='loss_mask_word')


@dataclass
class Setting:
    """In what a set differs from the one that it is made after.

    Args:
        meta (dict): Of its ``meta.json``, level by level.
        sizes (list[tuple[int, int]]): Height and width of each image.
        num_masks (list[int]): Ground-truth masks of each image of the training step; the last of
            them is empty.
        words (list[list[str]]): Of each image's caption; none: not valid.
        kinds (list[str]): Models.
    """

    meta: dict = field(default_factory=dict)
    sizes: list[tuple[int, int]] = field(default_factory=lambda: [(64, 64)])
    num_masks: list[int] = field(default_factory=lambda: [2])
    words: list[list[str]] = field(default_factory=lambda: [['dog', 'lawn']])
    kinds: list[str] = field(default_factory=lambda: ['label', 'caption'])


def write_golden_set(folder: Path, template: Path, setting: Setting, work_dir: Path) -> None:
    """Write a golden set.

    Args:
        folder (Path): Where; an empty folder.
        template (Path): A set of the 'mini' layout, for the recipe of weights, the names of Stable
            Diffusion's, and all that the setting does not say.
        setting (Setting): What is different.
        work_dir (Path): Where weights are written.
    """
    for name in ('weights.py', 'keys_sd.json'):
        shutil.copy(template / name, folder)
    meta = merged_settings(json.loads((template / 'meta.json').read_text()), setting.meta)
    sizes = setting.sizes
    meta.update(net_hw=sizes, out_hw=[(height + 10, width // 2) for height, width in sizes])
    write_json(folder / 'meta.json', meta)
    clip = open_clip.CLIP(**meta['arch']['clip'])
    write_keys(folder, 'clip', 'clip', {k: v.shape for k, v in clip.state_dict().items()})
    inputs = draw_inputs(setting)
    np.savez(folder / 'inputs.npz', **inputs)
    for kind in setting.kinds:
        write_json(folder / f'{kind}.json', _record(setting, kind))
    np.savez(folder / 'common.npz')
    golden = read_golden_set(folder, work_dir)
    for kind in setting.kinds:
        model = without_checkpoint(golden, kind)
        if kind == setting.kinds[0]:
            _write_constants(folder, golden, model)
        official = to_official(
            dict(state_dict=model.state_dict()), len(meta['train_labels'])
            if kind == 'label' else None).checkpoint['model']
        write_keys(folder, f'odise_{kind}', f'odise_{kind}',
                    {name: value.shape for name, value in official.items()})
        _write_results(folder, golden, kind, setting, inputs)


def merged_settings(first: dict, second: Mapping) -> dict:
    """A dictionary with the entries of another, level by level; 'steps' as a whole."""
    merged = deepcopy(first)
    for name, value in second.items():
        deeper = isinstance(value, Mapping) and name in merged
        merged[name] = merged_settings(merged[name], value) if deeper else value
    return merged


def write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content), encoding='utf-8')


def write_keys(folder: Path, name: str, kind: str, shapes: dict[str, torch.Size]) -> None:
    """A list of names with shapes and checksums."""
    recipe = load_recipe(folder)
    keys = {
        key: [list(shape), None if recipe.spec(key, tuple(shape), kind) is None
              else recipe.checksum(recipe.generate(key, shape, kind))]
        for key, shape in shapes.items()}
    write_json(folder / f'keys_{name}.json', keys)


def draw_inputs(setting: Setting) -> dict[str, np.ndarray]:
    """Images of random blocks, and masks that are boxes."""
    random, inputs = np.random.default_rng(0), {}
    for i, (height, width) in enumerate(setting.sizes):
        blocks = random.integers(0, 256, (3, -(-height // 16), -(-width // 16)), dtype=np.uint8)
        image = blocks.repeat(16, 1).repeat(16, 2)[:, :height, :width]
        inputs[f'image{i}'] = np.ascontiguousarray(image)
        masks = np.zeros((setting.num_masks[i] if i < len(setting.num_masks) else 0, height, width),
                         dtype=bool)
        for k, mask in enumerate(masks[:-1]):
            mask[7 * k : 7 * k + height // 3, 5 * k : 5 * k + width // 2] = True
        inputs[f'masks{i}'] = masks
    return inputs


def _record(setting: Setting, kind: str) -> dict:
    return dict(alpha=ALPHA, beta=BETA, tensors={}, segments={})


def _write_constants(folder: Path, golden: GoldenSet, model: ODISE) -> None:
    names = ('tokens.raw', 'tokens.photo', 'uncond_inputs', 'shared_noise')
    stages = {name: values() for name, values in compared_constants(golden, model).items()
              if name in names}
    arrays, _ = stored(stages)
    np.savez(folder / 'common.npz', **arrays)
    golden.meta.update({f'{name}_shape': list(stages[name].shape) for name in names[2:]})
    write_json(folder / 'meta.json', golden.meta)


def _write_results(
    folder: Path, golden: GoldenSet, kind: str, setting: Setting, inputs: dict
) -> None:
    """What a model makes of the images, and of a step of training."""
    model, record, meta = build(golden, kind), _record(setting, kind), golden.meta
    first = timesteps_of(golden.models[setting.kinds[0]])
    for i, size in enumerate(meta['out_hw']):
        maps = {f'out.panoptic.thr{threshold:g}': Golden(np.zeros(0))
                for threshold in meta['overlap_thresholds']}
        case = Case(kind, f'img{i}', [inputs[f'image{i}']], [tuple(size)], meta['vocab'],
                    meta['things'], maps, {})
        stages = known_to_the_official(inference_stages(model, case), kind)
        if kind != setting.kinds[0]:
            own = timesteps_of(golden.models[kind])
            stages = {k: v for k, v in stages.items() if not is_frozen(k, first, own)}
        segments = {name.removeprefix('out.panoptic.'): number_segments(stages, name, case.things)
                    for name in maps}
        arrays, record['tensors'][case.name] = stored(stages)
        np.savez(folder / f'{kind}_{case.name}.npz', **arrays)
        record['segments'][case.name] = segments
    record['train'] = write_step(
        folder / f'{kind}_train.npz', golden, kind, setting, inputs, model, record,
        meta['arch']['num_points'])
    write_json(folder / f'{kind}.json', record)


def known_to_the_official(stages: Stages, kind: str) -> Stages:
    """Stages by the names that the official sets have them under, once each."""
    known = {name: values for name, values in stages.items() if values is not None
             and '.step0.' not in name and name != 'out.sem_seg_argmax'}
    if kind == 'label':
        known = {name: values for name, values in known.items() if 'pred_logits' not in name}
    return known


def number_segments(stages: Stages, name: str, things: list[int]) -> list[dict]:
    """Number the segments of a panoptic map from 1, as the official release does."""
    ours, segments = stages[name], []
    numbers = torch.zeros_like(ours)
    for value in sorted({*ours.unique().tolist()} - {-1}):
        label = value // INSTANCE_OFFSET
        segments.append(dict(id=len(segments) + 1, category_id=label, isthing=label in things))
        numbers[ours == value] = len(segments)
    stages[name] = numbers.to(torch.uint8)
    return segments


def stored(stages: Stages) -> tuple[dict[str, np.ndarray], dict[str, dict]]:
    """Arrays as the 'mini' layout has them, and what it tells of them."""
    arrays, statistics = {}, {}
    for name, values in stages.items():
        array = values.detach().cpu().numpy()
        if array.dtype == bool:
            arrays[f'{name}_packed'] = np.packbits(array)
            continue
        sampled = values.is_floating_point() and array.size > _WHOLE
        if values.is_floating_point():
            largest = float(np.abs(array).max()) if array.size else 0.0
            statistics[name] = dict(
                shape=list(array.shape), complete=not sampled, absmax=largest)
        arrays[name] = sample_of(array, _WHOLE) if sampled else array
    return arrays, statistics


def sample_of(array: np.ndarray, count: int) -> np.ndarray:
    places = Golden(np.zeros(count), sampled=True).places(array.size)
    return array.reshape(-1)[places]


def write_step(
    path: Path, golden: GoldenSet, kind: str, setting: Setting, inputs: dict, model: ODISE,
    record: dict, num_points: int, train: Callable[..., tuple] = training_stages,
) -> dict:
    """A step of training over the first images; gives its entry in the set's summary."""
    numbers = range(len(setting.num_masks))
    classes, _ = golden.training_classes
    labels = [[(i + k) % len(classes) for k in range(setting.num_masks[i])] for i in numbers]
    words = [setting.words[i] for i in numbers] if kind == 'caption' else None
    drawn = _drawn(sum(setting.num_masks), len(numbers), num_points,
                   golden.meta['arch']['head']['dec_layers'])
    step = TrainingStep(
        kind, [inputs[f'image{i}'] for i in numbers], [inputs[f'masks{i}'] for i in numbers],
        labels, words, max(map(len, words or [[]])), drawn, {}, {}, 0, [], {}, {})
    stages, losses, matching = train(
        model, step, ClassOrder(*golden.training_classes))
    losses = {name: value.item() for name, value in losses.items()}
    gradients = gradients_of(model, kind)
    stages = known_to_the_official(stages, kind)
    arrays, record['tensors']['train'] = stored(stages)
    arrays.update({f'rand{i:02}': values for i, values in enumerate(drawn)})
    samples = np.zeros((len(gradients), 8), dtype=np.float32)
    for row, gradient in zip(samples, gradients.values(), strict=True):
        values = sample_of(gradient.numpy(), 8)
        row[: len(values)] = values
    np.savez(path, grad_samples=samples, **arrays)
    entry = dict(
        gt_classes=labels, matching=matching, total=losses['total'],
        losses_weighted={official_loss(name): value for name, value in losses.items()
                         if name not in ('total', 'loss')},
        grad_norms={name: float(gradient.norm()) for name, gradient in gradients.items()})
    if words is not None:
        entry['drawn_words'] = [texts or [''] * step.num_words for texts in words]
        entry['word_valid_mask'] = [[bool(texts)] * step.num_words for texts in words]
    return entry


def _drawn(num_masks: int, batch: int, points: int, num_layers: int) -> list[np.ndarray]:
    """Random numbers in the official order: of the matching per image, then of the losses."""
    random = np.random.default_rng(1)
    shapes = [(1, points, 2)] * batch + [
        (num_masks, 3 * points, 2), (num_masks, points - int(0.75 * points), 2)]
    return [random.random(shape, dtype=np.float32)
            for _ in range(num_layers + 1) for shape in shapes]


def official_loss(ours: str) -> str:
    layer, _, name = ours.rpartition('.')
    return _LOSSES.get(name, name) + (f'_{layer[1:]}' if layer else '')
