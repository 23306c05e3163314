"""Compare what we compute with what the official model computes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from golden_sets import Case, Golden, TrainingStep
from parity_results import SURPLUS, compare_panoptic
from parity_rows import Row, Span, Spans, compare, float_row, largest_of, missing
from torch import Tensor

LOSS_TOLERANCE = 3e-4
GRADIENT_TOLERANCE, NOISE_FACTOR = 1e-3, 10

#: Arrays of the golden sets that are compared with nothing of ours, and why.
LEFT_OUT = {
    r'win\d+\.(step\d+\.)?(unet_out|dec_image)': 'ODISE reads neither, so we do not compute them',
    r'.*_NOT_USED': 'the official model does not use it either',
    r'(label: )pred\.(aux\d+\.)?pred_logits': 'a constant of the official code, which says nothing',
    r'out\.inst\.boxes': 'zeros in the official release; ours are the boxes of the masks',
    r'hf_tokens': 'the input of ldm_text_embed',
}


def left_out(model: str, name: str) -> str | None:
    """Why an array is compared with nothing, or None if it has to be compared."""
    for pattern, reason in LEFT_OUT.items():
        if re.fullmatch(pattern, name) or re.fullmatch(pattern, f'{model}: {name}'):
            return reason
    return None


def compare_case(case: Case, spans: Spans, stages: dict[str, Tensor]) -> Iterator[Row]:
    """Compare an image's stages; one that we neither have nor leave out by name fails.

    Args:
        case (Case): The image.
        spans (dict[str, Span]): Our stages over all runs.
        stages (dict[str, Tensor]): Our stages of the last run.
    """
    for name, golden in case.arrays.items():
        if left_out(case.model, name):
            continue
        if name not in spans:
            yield missing(case.model, case.name, name)
        elif name.startswith('out.panoptic.'):
            yield from compare_panoptic(case, name, golden, stages[name])
        elif name.startswith('out.inst.') and not stages[name].is_floating_point():
            row = compare(case.model, case.name, name, golden, Span.of(stages[name]))
            yield replace(row, whole=True, plain=row.relative)
        else:
            yield compare(case.model, case.name, name, _comparable(name, golden), spans[name])
    if SURPLUS in spans:
        yield compare(case.model, case.name, SURPLUS, Golden(np.zeros(1)), spans[SURPLUS])
    for threshold in case.segments:
        if f'out.panoptic.{threshold}' not in case.arrays:
            yield missing(case.model, case.name, f'out.panoptic.{threshold}', 'not stored')


def _comparable(name: str, golden: Golden) -> Golden:
    """An array in the form that we have it in."""
    if name.endswith('.timesteps'):  # a negative one stands for 0 without noise
        return replace(golden, values=golden.values.clip(min=0))
    if name == 'out.inst.mask_areas':
        return replace(golden, values=golden.values.astype(np.float64))
    return golden


def compare_step(
    step: TrainingStep, spans: Spans, losses: Spans, matching: list, gradients: Spans
) -> Iterator[Row]:
    """Compare a step of training.

    Args:
        step (TrainingStep): Of the golden set.
        spans (dict[str, Span]): Our stages.
        losses (dict[str, Span]): Ours by mmdet's names, and 'total'.
        matching (list): Ours.
        gradients (dict[str, Span]): Ours, by official names.
    """
    for name, golden in step.arrays.items():
        if left_out(step.model, name):
            continue
        if name not in spans:
            yield missing(step.model, 'train', name)
            continue
        ours = spans[name]
        if name.startswith('point_coords') and golden.fits(ours.plain.numel()):
            golden, ours = _ordered_points(golden, ours.plain)
        yield compare(step.model, 'train', name, golden, ours)
    theirs, ours = _pairs(step.matching), _pairs(matching)
    differing = sum(a != b for a, b in zip(theirs, ours, strict=False))
    differing += abs(len(theirs) - len(ours))
    yield Row(step.model, 'train', 'matching', (len(ours), ), differing, differing / len(ours), 0)
    yield from _compare_losses(step, losses)
    yield from _compare_gradients(step, gradients)


def _compare_losses(step: TrainingStep, losses: Spans) -> Iterator[Row]:
    """Compare every loss, and their sum."""
    ours = {_loss_name(name): name for name in step.losses}
    for name, golden in {**step.losses, 'total': step.total}.items():
        span = losses.get(_loss_name(name))
        if span is None:
            yield missing(step.model, 'train', f'loss {name}')
            continue
        row = Row(step.model, 'train', f'loss {name}', (), tolerance=LOSS_TOLERANCE)
        yield float_row(row, span, torch.tensor(golden), slice(None), abs(golden))
    for name in losses.keys() - ours.keys() - {'total', 'loss'}:
        yield missing(step.model, 'train', f'our loss {name}', 'not stored')


def _compare_gradients(step: TrainingStep, gradients: Spans) -> Iterator[Row]:
    """Compare gradients value by value, and by their norms."""
    for name, golden in step.gradients.items():
        ours = gradients.get(name)
        if ours is None:
            yield missing(step.model, 'train', f'gradient {name}')
            continue
        if not golden.fits(ours.plain.numel()):
            yield missing(step.model, 'train', f'gradient {name}', 'of another shape')
            continue
        places = torch.from_numpy(golden.places(ours.plain.numel()))
        theirs = torch.from_numpy(golden.values.reshape(-1)[: len(places)])
        largest = largest_of(ours.plain if golden.sampled else theirs)
        noise = step.noise.get(name, step.noise.get('', 0))
        row = Row(step.model, 'train', f'gradient {name}', tuple(ours.plain.shape),
                  tolerance=max(GRADIENT_TOLERANCE, NOISE_FACTOR * noise))
        yield float_row(row, ours, theirs, places, largest)
    for name, norm in step.gradient_norms.items():
        if f'norm of {name}' not in gradients:
            yield missing(step.model, 'train', f'norm of gradient {name}')
            continue
        noise = step.norm_noise.get(name, step.noise.get(name, step.noise.get('', 0)))
        row = Row(step.model, 'train', f'norm of gradient {name}', (),
                  tolerance=max(GRADIENT_TOLERANCE, NOISE_FACTOR * noise))
        yield float_row(row, gradients[f'norm of {name}'], torch.tensor(norm), slice(None), norm)


def _loss_name(official: str) -> str:
    """Mmdet's name of a loss: the last prediction's without a prefix."""
    name, layer = re.fullmatch(r'(.*?)(?:_(\d+))?', official).groups()
    ours = dict(loss_ce='loss_cls', loss_mask_word='loss_grounding').get(name, name)
    return ours if layer is None else f'd{layer}.{ours}'


def _pairs(matching: list) -> list[set]:
    """Pairs of query and mask, for each prediction and image."""
    return [{*zip(*pair, strict=True)} for images in matching for pair in images]


def _ordered_points(golden: Golden, ours: Tensor) -> tuple[Golden, Span]:
    """Points (N, P, 2) of each mask, which come in no order, side by side.

    Those of a sample have lost their second coordinate; the nearest of ours stands beside each.
    """
    if not golden.sampled:
        return Golden(_sorted_points(golden.values.reshape(ours.shape))), Span.of(
            torch.from_numpy(_sorted_points(ours.numpy())))
    places = golden.places(ours.numel())
    mask, _, axis = np.unravel_index(places, ours.shape)
    choices = ours[mask, :, axis]  # (places, P)
    nearest = (choices - torch.from_numpy(golden.values[: len(places), None])).abs().argmin(1)
    beside = ours.flatten().clone()
    beside[places] = choices[torch.arange(len(places)), nearest]
    return golden, Span.of(beside.view_as(ours))


def _sorted_points(points: np.ndarray) -> np.ndarray:
    """Points (N, P, 2) of each mask in an order that depends on nothing else."""
    order = np.array([np.lexsort(mask.T) for mask in points], dtype=np.int64)
    return np.take_along_axis(points, order.reshape(*points.shape[:2], 1), axis=1)
