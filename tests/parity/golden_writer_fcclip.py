"""Write golden sets of FC-CLIP of what our own model computes, with other settings.

As :mod:`golden_writer`: they show that the comparison reads every set of this form.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
from fcclip_model import clip_architecture, fcclip_model
from fcclip_stages import fcclip_constants, fcclip_stages, fcclip_training_stages
from golden_fcclip import MODEL
from golden_layouts import read_golden_set
from golden_sets import Case, Golden, GoldenSet
from golden_writer import (
    Setting,
    draw_inputs,
    merged_settings,
    number_segments,
    stored,
    write_json,
    write_keys,
    write_step,
)
from parity_stages import Stages
from verify_parity import build

from mmodise.checkpoints.convnext import register_convnext
from mmodise.checkpoints.official import to_official
from mmodise.models import ODISE


def write_fcclip_set(
    folder: Path, template: Path, setting: Setting, templates: Sequence[str], work_dir: Path
) -> None:
    """Write a golden set.

    Args:
        folder (Path): Where; made.
        template (Path): A set of FC-CLIP, for the recipe of weights and all that the setting does
            not say.
        setting (Setting): What is different.
        templates (Sequence[str]): What names are put into.
        work_dir (Path): Where weights are written.
    """
    folder.mkdir()
    shutil.copy(template / 'weights.py', folder)
    meta = merged_settings(json.loads((template / 'meta.json').read_text()), setting.meta)
    meta.update(
        net_hw=setting.sizes, out_hw=[(height + 10, width // 2) for height, width in setting.sizes])
    write_json(folder / 'meta.json', meta)
    write_json(folder / 'prompt_templates.json', list(templates))
    inputs = draw_inputs(setting)
    np.savez(folder / 'inputs.npz', **inputs)
    write_json(folder / 'golden.json', dict(tensors={}, segments={}))
    np.savez(folder / 'common.npz')
    _write_names(folder, meta, work_dir)
    golden = read_golden_set(folder, work_dir)
    _write_results(folder, golden, build(golden, MODEL), setting, inputs)


def _write_names(folder: Path, meta: dict, work_dir: Path) -> None:
    """The lists of the names of the CLIP's weights and of the model's."""
    architecture = clip_architecture(meta['arch']['clip'])
    register_convnext(architecture['vision_cfg'].get('timm_model_name'))
    clip = open_clip.CLIP(**architecture)
    write_keys(folder, 'clip', 'clip', {k: v.shape for k, v in clip.state_dict().items()})
    write_json(folder / 'keys_fcclip.json', {})
    model = fcclip_model(read_golden_set(folder, work_dir))
    official = to_official(
        dict(state_dict=model.state_dict()), len(meta['train_labels'])).checkpoint['model']
    write_keys(folder, MODEL, MODEL, {name: value.shape for name, value in official.items()})


def _write_results(
    folder: Path, golden: GoldenSet, model: ODISE, setting: Setting, inputs: dict
) -> None:
    """What the model makes of texts, of the images, and of a step of training."""
    meta, record = golden.meta, dict(tensors={}, segments={})
    constants = {name: values() for name, values in fcclip_constants(golden, model).items()}
    batch = {}
    for i, size in enumerate(meta['out_hw']):
        maps = {f'out.panoptic.thr{threshold:g}': Golden(np.zeros(0))
                for threshold in meta['overlap_thresholds']}
        case = Case(MODEL, f'img{i}', [inputs[f'image{i}']], [tuple(size)], meta['vocab'],
                    meta['things'], maps, {})
        stages = fcclip_stages(model, case)
        record['segments'][case.name] = {
            name.removeprefix('out.panoptic.'): number_segments(stages, name, case.things)
            for name in maps}
        more, segments = _other_runs(model, case)
        record['segments'][case.name] |= segments
        arrays, record['tensors'][case.name] = stored(stages | more)
        np.savez(folder / f'{case.name}.npz', **arrays)
    images = [inputs[f'image{i}'] for i in range(len(meta['out_hw']))]
    if len(images) > 1:
        case = Case(MODEL, 'batch', images, [*map(tuple, meta['out_hw'])], meta['vocab'],
                    meta['things'], {}, {})
        stages = fcclip_stages(model, case)
        names = [f'out.panoptic.img{i}' for i in range(len(images))]
        record['segments']['batch'] = {
            name.removeprefix('out.panoptic.'): number_segments(stages, name, case.things)
            for name in names}
        batch = {f'batch.{name}': stages[name] for name in (
            'head.logits', 'clip.mask_logits', 'final.mask_cls', *names)}
    arrays, record['tensors']['common'] = stored({**constants, **batch})
    np.savez(folder / 'common.npz', **arrays)
    record['train'] = write_step(
        folder / 'train.npz', golden, MODEL, setting, inputs, model, record,
        meta['arch']['head']['points'], fcclip_training_stages)
    write_json(folder / 'golden.json', record)


def _other_runs(model: ODISE, case: Case) -> tuple[Stages, dict[str, list[dict]]]:
    """Stages and segments with the switch on, where it is off, and of semantic results alone."""
    semantic = fcclip_stages(model, replace(case, run='semantic_only', arrays={}))
    stages = {
        f'semantic_only.{name}': semantic[f'out.{name}'] for name in ('sem_seg', 'sem_argmax')}
    if model.classifier.valid_only:
        return stages, {}
    name = 'out.panoptic.thr0.8'
    valid = fcclip_stages(model, replace(case, run='valid', arrays={name: Golden(np.zeros(0))}))
    segments = {'valid.thr0.8': number_segments(valid, name, case.things)}
    return stages | {
        'valid.fused_open_logits': valid['clip.fused_open_logits'],
        'valid.final.mask_cls': valid['final.mask_cls'], f'valid.{name}': valid[name]}, segments
