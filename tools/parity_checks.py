"""Compare what we compute with what the official model computes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from golden_sets import Case, Golden, TrainingStep
from scipy.optimize import linear_sum_assignment
from torch import Tensor

#: Of a stage's largest value. Mask embeddings and what follows from them pool over hard masks.
TOLERANCE, EMBEDDING_TOLERANCE, FLIPPED_TOLERANCE = 1e-4, 3e-4, 2e-3
#: Share of the pixels of a map.
MAP_TOLERANCE = 1e-3
LOSS_TOLERANCE = 3e-4
GRADIENT_TOLERANCE, NOISE_FACTOR = 1e-3, 10

#: Arrays of the golden sets that are compared with nothing of ours, and why.
LEFT_OUT = {
    r'win\d+\.(unet_out|dec_image)': 'ODISE reads neither, so we do not compute them',
    r'.*_NOT_USED': 'the official model does not use it either',
    r'(label: )pred\.(aux\d+\.)?pred_logits': 'a constant of the official code, which says nothing',
    r'out\.inst\.boxes': 'zeros in the official release; ours are the boxes of the masks',
    r'hf_tokens': 'the input of ldm_text_embed',
}

_EMBEDDING = re.compile(
    r'(pred\.(aux\d+\.)?mask_(embed|pooled_features)|head\.logits.*|out\..*'
    r'|clip\.(in_open_logits|mask_embed|mask_logits|fused_open_logits)|final\.(mask_cls|prob))')


@dataclass
class Row:
    """A line of the table.

    Args:
        model (str): 'label' or 'caption'; '' for what both share.
        case (str): The input.
        stage (str): What was compared.
        shape (tuple[int, ...]): Of our array.
        error (float): Largest absolute error; of maps, the number of elements that differ.
        relative (float): The error over the stage's largest value; of maps, over their size.
        tolerance (float): Of the relative error.
    """

    model: str
    case: str
    stage: str
    shape: tuple[int, ...]
    error: float
    relative: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the error is tolerated; one that is not a number is not."""
        return self.relative <= self.tolerance


def missing(model: str, case: str, name: str) -> Row:
    """The line of an array that we do not have."""
    return Row(model, case, f'{name} (unknown)', (), float('nan'), float('nan'), 0)


def left_out(model: str, name: str) -> str | None:
    """Why an array is compared with nothing, or None if it has to be compared."""
    for pattern, reason in LEFT_OUT.items():
        if re.fullmatch(pattern, name) or re.fullmatch(pattern, f'{model}: {name}'):
            return reason
    return None


def compare_case(case: Case, stages: dict[str, Tensor]) -> Iterator[Row]:
    """Compare an image's stages; one that we neither have nor leave out by name fails."""
    instances = {name: stages[f'out.inst.{name}']
                 for name in ('scores', 'classes', 'masks', 'mask_areas')}
    pairs = _match_instances(case, instances)
    for name, golden in case.arrays.items():
        if left_out(case.model, name):
            continue
        if name not in stages:
            yield missing(case.model, case.name, name)
        elif name.startswith('out.panoptic.'):
            segments = case.segments[name.removeprefix('out.panoptic.')]
            yield from _compare_panoptic(case, name, golden, stages[name], segments)
        elif name.startswith('out.inst.'):
            ours = instances[name.removeprefix('out.inst.')]
            matched = ours[pairs] if len(ours) else ours
            yield compare(case.model, case.name, name, golden, matched)
        else:
            yield compare(case.model, case.name, name, golden, stages[name],
                          _undecided(name, case.arrays, stages))


def compare_step(
    step: TrainingStep, stages: dict[str, Tensor], losses: dict[str, float], total: float,
    matching: list, gradients: dict[str, Tensor]
) -> Iterator[Row]:
    """Compare a step of training.

    Args:
        step (TrainingStep): Of the golden set.
        stages (dict[str, Tensor]): Ours.
        losses (dict[str, float]): Ours, by mmdet's names.
        total (float): Ours.
        matching (list): Ours.
        gradients (dict[str, Tensor]): Ours, by official names.
    """
    for name, golden in step.arrays.items():
        if left_out(step.model, name):
            continue
        if name not in stages:
            yield missing(step.model, 'train', name)
            continue
        ours, undecided = stages[name], _undecided(name, step.arrays, stages)
        if name.startswith('point_coords'):  # in no order
            golden = Golden(_sorted_points(golden.values))
            ours = torch.from_numpy(_sorted_points(ours.numpy()))
        yield compare(step.model, 'train', name, golden, ours, undecided)
    differing = sum(
        {*zip(*theirs, strict=True)} != {*zip(*ours, strict=True)}
        for theirs, ours in zip(_flat(step.matching), _flat(matching), strict=True))
    size = len(_flat(matching))
    yield Row(step.model, 'train', 'matching', (size, ), differing, differing / size, 0)
    for name, golden in {**step.losses, 'total': step.total}.items():
        ours = total if name == 'total' else losses[_loss_name(name)]
        error = abs(float(ours) - golden)
        yield Row(step.model, 'train', f'loss {name}', (), error, error / abs(golden),
                  LOSS_TOLERANCE)
    yield from _compare_gradients(step, gradients)


def compare(
    model: str, case: str, name: str, golden: Golden, ours: Tensor,
    undecided: Tensor | None = None
) -> Row:
    """Compare a stage.

    Args:
        model (str): 'label' or 'caption'.
        case (str): The input.
        name (str): The stage.
        golden (Golden): The official model's.
        ours (Tensor): Ours, whole.
        undecided (Tensor, optional): Rows (B, Q) of ours with a wider tolerance.
    """
    whole = ours.detach().cpu()
    places = golden.places(whole.numel())
    theirs = torch.from_numpy(golden.values.reshape(-1)[: len(places)])
    if not golden.sampled and theirs.numel() != whole.numel() and theirs.dtype != torch.bool:
        return Row(model, case, f'{name} (of another shape)', tuple(ours.shape), float('nan'),
                   float('nan'), 0)
    found = whole.reshape(-1)[torch.from_numpy(places)]
    if not (theirs.is_floating_point() and found.is_floating_point()):
        wrong = int((theirs.to(found.dtype) != found).sum())
        return Row(model, case, name, tuple(ours.shape), wrong, wrong / max(len(theirs), 1),
                   MAP_TOLERANCE)
    largest = golden.largest or float(theirs.abs().max())
    errors = (found.double() - theirs.double()).abs() / max(largest, 1e-12)
    tolerance = EMBEDDING_TOLERANCE if _EMBEDDING.fullmatch(name) else TOLERANCE
    if undecided is not None and bool(undecided.any()):
        rows = undecided[..., None].expand(whole.shape).reshape(-1)[torch.from_numpy(places)]
        if bool((errors[rows] > tolerance).any()) and bool((errors[~rows] <= tolerance).all()):
            tolerance = FLIPPED_TOLERANCE
    relative = float(errors.max()) if len(errors) else 0.0
    return Row(model, case, name, tuple(ours.shape), relative * largest, relative, tolerance)


def _undecided(
    name: str, arrays: dict[str, Golden], stages: dict[str, Tensor]
) -> Tensor | None:
    """Masks (B, Q) that have a pixel so near the threshold that the error may have flipped it.

    Only for the embeddings of masks, and for the logits made of them, which have a row a mask.
    """
    logits = re.fullmatch(r'head\.logits\.call(\d+)', name)
    if logits:  # the last prediction first
        prefix = 'pred.' if logits[1] == '0' else f'pred.aux{int(logits[1]) - 1}.'
    elif name == 'head.logits':
        prefix = 'pred.'
    else:
        embedding = re.fullmatch(r'(pred\.(?:aux\d+\.)?)mask_(embed|pooled_features)', name)
        if not embedding:
            return None
        prefix = embedding[1]
    masks, golden = stages[f'{prefix}pred_masks'].detach(), arrays.get(f'{prefix}pred_masks')
    if golden is None:
        golden = arrays.get('pred.pred_masks')
        masks_known = stages['pred.pred_masks'].detach()
    else:
        masks_known = masks
    if golden is None:
        return None
    found = masks_known.reshape(-1)[torch.from_numpy(golden.places(masks_known.numel()))]
    error = float((found - torch.from_numpy(golden.values.reshape(-1))).abs().max())
    return masks.abs().amin((-2, -1)) <= error


def _match_instances(case: Case, ours: dict[str, Tensor]) -> list[int]:
    """Which of our instances each of the golden set is: same class, nearest score."""
    if 'out.inst.scores' not in case.arrays:
        return []
    scores = torch.from_numpy(case.arrays['out.inst.scores'].values)
    classes = torch.from_numpy(case.arrays['out.inst.classes'].values).long()
    cost = (scores[:, None] - ours['scores']).abs() + 1e3 * (classes[:, None] != ours['classes'])
    return linear_sum_assignment(cost.numpy())[1].tolist()


def _compare_panoptic(
    case: Case, name: str, golden: Golden, ours: Tensor, segments: list[dict]
) -> Iterator[Row]:
    """Compare a panoptic map; each segment with the one of ours that covers most of it."""
    theirs = torch.from_numpy(golden.values.astype(np.int64))
    wrong, classes = (theirs == 0) & (ours != -1), []
    for segment in segments:
        inside = theirs == segment['id']
        match = int(ours[inside].mode().values)
        wrong |= inside & (ours != match)
        classes.append((match // 1000, match))
    wrong = int(wrong.sum())
    yield Row(case.model, case.name, name, tuple(ours.shape), wrong, wrong / ours.numel(),
              MAP_TOLERANCE)
    expected = [(segment['category_id'], segment['isthing']) for segment in segments]
    found = [(kind, kind in case.things) for kind, _ in classes]
    differing = sum(a != b for a, b in zip(expected, found, strict=True))
    differing += abs(len({*ours.unique().tolist()} - {-1}) - len({label for _, label in classes}))
    differing += len(classes) - len({label for _, label in classes})
    yield Row(case.model, case.name, name.replace('out.panoptic', 'segments'), (len(segments), ),
              differing, differing / max(len(segments), 1), 0)


def _compare_gradients(step: TrainingStep, ours: dict[str, Tensor]) -> Iterator[Row]:
    """Compare gradients value by value, and by their norms."""
    def row(name: str, shape: tuple, error: float, largest: float, noise: float) -> Row:
        tolerance = max(GRADIENT_TOLERANCE, NOISE_FACTOR * noise)
        return Row(step.model, 'train', name, tuple(shape), error, error / max(largest, 1e-12),
                   tolerance)

    for name, golden in step.gradients.items():
        found = ours[name].reshape(-1).double()
        places = golden.places(found.numel())
        theirs = torch.from_numpy(golden.values.reshape(-1)[: len(places)]).double()
        largest = float((found if golden.sampled else theirs).abs().max())
        error = float((found[torch.from_numpy(places)] - theirs).abs().max())
        noise = step.noise.get(name, step.noise.get('', 0))
        yield row(f'gradient {name}', ours[name].shape, error, largest, noise)
    for name, norm in step.gradient_norms.items():
        error = abs(float(ours[name].double().norm()) - norm)
        noise = step.norm_noise.get(name, step.noise.get(name, step.noise.get('', 0)))
        yield row(f'norm of gradient {name}', (), error, norm, noise)


def _loss_name(official: str) -> str:
    """Mmdet's name of a loss: the last prediction's without a prefix."""
    name, _, layer = re.fullmatch(r'(loss_[a-z_]*[a-z])(_(\d+))?', official).groups()
    ours = dict(loss_ce='loss_cls', loss_mask_word='loss_grounding').get(name, name)
    return ours if layer is None else f'd{layer}.{ours}'


def _flat(matching: list) -> list:
    return [pair for images in matching for pair in images]


def _sorted_points(points: np.ndarray) -> np.ndarray:
    """Points (N, P, 2) of each mask in an order that depends on nothing else."""
    return np.stack([mask[np.lexsort(mask.T)] for mask in points])
