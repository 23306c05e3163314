"""Compare what we compute with what the official model computes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from golden_sets import Case, Golden, TrainingStep
from mmdet.evaluation.functional import INSTANCE_OFFSET
from scipy.optimize import linear_sum_assignment
from torch import Tensor

#: Of a stage's largest value. Mask embeddings and what follows from them pool over hard masks.
TOLERANCE, EMBEDDING_TOLERANCE = 1e-4, 3e-4
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

class Span(NamedTuple):
    """A stage of ours: in one run, and the range that it takes over several.

    Args:
        plain (Tensor): Of the run with the weights as they are.
        low (Tensor): Smallest value of each element over all runs.
        high (Tensor): Largest value of each element over all runs.
    """

    plain: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, values: Tensor | float) -> Span:
        """The span of a single run."""
        values = torch.as_tensor(values).detach().cpu()
        return cls(values, values, values)

    def widened(self, values: Tensor | float) -> Span:
        """The span with one more run; only of stages that have the same shape in each."""
        values = torch.as_tensor(values).detach().cpu()
        if not values.is_floating_point() or values.shape != self.plain.shape:
            return self
        return Span(self.plain, torch.minimum(self.low, values), torch.maximum(self.high, values))


Spans = dict[str, Span]


def spans_of(stages: dict[str, Tensor], before: Spans | None = None) -> Spans:
    """The spans of stages of a run, after those of earlier runs."""
    if before is None:
        return {name: Span.of(values) for name, values in stages.items() if values is not None}
    return {name: span.widened(stages[name]) for name, span in before.items()}


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
        error (float): Largest absolute error; of maps, the number of elements that differ. Where
            the run with the weights as they are fails, the distance from the range of all runs.
        relative (float): The error over the stage's largest value; of maps, over their size.
        tolerance (float): Of the relative error.
        plain (float, optional): The relative error of the run with the weights as they are.
    """

    model: str
    case: str
    stage: str
    shape: tuple[int, ...]
    error: float = float('nan')
    relative: float = float('nan')
    tolerance: float = 0
    plain: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the error is tolerated; one that is not a number is not."""
        return self.relative <= self.tolerance

    @property
    def jumps(self) -> bool:
        """Whether only the range of several runs passes."""
        return self.passed and self.plain is not None and self.plain > self.tolerance


def missing(model: str, case: str, name: str) -> Row:
    """The line of an array that we do not have."""
    return Row(model, case, f'{name} (unknown)', ())


def left_out(model: str, name: str) -> str | None:
    """Why an array is compared with nothing, or None if it has to be compared."""
    for pattern, reason in LEFT_OUT.items():
        if re.fullmatch(pattern, name) or re.fullmatch(pattern, f'{model}: {name}'):
            return reason
    return None


def may_jump(row: Row) -> bool:
    """Whether a failure may be the work of a threshold that more runs would show to both sides."""
    return not row.passed and row.plain is not None


def compare_case(case: Case, spans: Spans) -> Iterator[Row]:
    """Compare an image's stages; one that we neither have nor leave out by name fails."""
    ours = {name: span.plain for name, span in spans.items()}
    pairs = _match_instances(case, ours)
    for name, golden in case.arrays.items():
        if left_out(case.model, name):
            continue
        if name not in ours:
            yield missing(case.model, case.name, name)
        elif name.startswith('out.panoptic.'):
            segments = case.segments[name.removeprefix('out.panoptic.')]
            yield from _compare_panoptic(case, name, golden, ours[name], segments)
        elif name.startswith('out.inst.'):
            matched = ours[name][pairs] if len(ours[name]) else ours[name]
            yield compare(case.model, case.name, name, golden, Span.of(matched))
        else:
            yield compare(case.model, case.name, name, golden, spans[name])


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
        if name.startswith('point_coords'):  # in no order
            golden = Golden(_sorted_points(golden.values))
            ours = Span.of(torch.from_numpy(_sorted_points(ours.plain.numpy())))
        yield compare(step.model, 'train', name, golden, ours)
    theirs, ours = _pairs(step.matching), _pairs(matching)
    differing = sum(a != b for a, b in zip(theirs, ours, strict=True))
    yield Row(step.model, 'train', 'matching', (len(ours), ), differing, differing / len(ours), 0)
    for name, golden in {**step.losses, 'total': step.total}.items():
        ours = losses[name if name == 'total' else _loss_name(name)]
        row = Row(step.model, 'train', f'loss {name}', (), tolerance=LOSS_TOLERANCE)
        yield _float_row(row, ours, torch.tensor(golden), slice(None), abs(golden))
    yield from _compare_gradients(step, gradients)


def compare(model: str, case: str, name: str, golden: Golden, ours: Span) -> Row:
    """Compare a stage.

    Args:
        model (str): 'label' or 'caption'.
        case (str): The input.
        name (str): The stage.
        golden (Golden): The official model's.
        ours (Span): Ours, whole.
    """
    whole = ours.plain
    places = torch.from_numpy(golden.places(whole.numel()))
    theirs = torch.from_numpy(golden.values.reshape(-1)[: len(places)])
    if not golden.sampled and theirs.numel() != whole.numel() and theirs.dtype != torch.bool:
        return Row(model, case, f'{name} (of another shape)', tuple(whole.shape))
    if not (theirs.is_floating_point() and whole.is_floating_point()):
        found = whole.reshape(-1)[places]
        wrong = int((theirs.to(found.dtype) != found).sum())
        return Row(model, case, name, tuple(whole.shape), wrong, wrong / max(len(theirs), 1),
                   MAP_TOLERANCE)
    largest = golden.largest or float(theirs.abs().max())
    tolerance = EMBEDDING_TOLERANCE if _EMBEDDING.fullmatch(name) else TOLERANCE
    row = Row(model, case, name, tuple(whole.shape), tolerance=tolerance)
    return _float_row(row, ours, theirs, places, largest)


def _float_row(
    row: Row, ours: Span, theirs: Tensor, places: Tensor | slice, largest: float
) -> Row:
    """Fill in the error of floating-point values: of the plain run, or else of the range."""
    plain, low, high = (values.double().reshape(-1)[places] for values in ours)
    theirs, largest = theirs.double().reshape(-1), max(largest, 1e-12)
    row.plain = float((plain - theirs).abs().max()) / largest if len(theirs) else 0.0
    outside = torch.maximum(low - theirs, theirs - high).clamp(min=0)
    row.relative = row.plain if row.plain <= row.tolerance else float(outside.max()) / largest
    row.error = row.relative * largest
    return row


def _match_instances(case: Case, ours: dict[str, Tensor]) -> list[int]:
    """Which of our instances each of the golden set's is: same class, nearest score."""
    if 'out.inst.scores' not in case.arrays:
        return []
    scores = torch.from_numpy(case.arrays['out.inst.scores'].values)
    classes = torch.from_numpy(case.arrays['out.inst.classes'].values).long()
    cost = (scores[:, None] - ours['out.inst.scores']).abs()
    cost += 1e3 * (classes[:, None] != ours['out.inst.classes'])
    return linear_sum_assignment(cost.numpy())[1].tolist()


def _compare_panoptic(
    case: Case, name: str, golden: Golden, ours: Tensor, segments: list[dict]
) -> Iterator[Row]:
    """Compare a panoptic map; each segment with the one of ours that covers most of it."""
    theirs = torch.from_numpy(golden.values.astype(np.int64))
    wrong, matches = (theirs == 0) & (ours != -1), []
    for segment in segments:
        inside = theirs == segment['id']
        matches.append(int(ours[inside].mode().values) if inside.any() else -1)
        wrong |= inside & (ours != matches[-1])
    wrong = int(wrong.sum())
    yield Row(case.model, case.name, name, tuple(ours.shape), wrong, wrong / ours.numel(),
              MAP_TOLERANCE)
    expected = [(segment['category_id'], segment['isthing']) for segment in segments]
    classes = [match // INSTANCE_OFFSET for match in matches]
    differing = sum(known != (label, label in case.things)
                    for known, label in zip(expected, classes, strict=True))
    ours_only = {*ours.unique().tolist()} - {-1, *matches}
    differing += len(ours_only) + len(matches) - len({*matches})  # two of theirs are one of ours
    yield Row(case.model, case.name, name.replace('out.panoptic', 'segments'), (len(segments), ),
              differing, differing / max(len(segments), 1), 0)


def _compare_gradients(step: TrainingStep, gradients: Spans) -> Iterator[Row]:
    """Compare gradients value by value, and by their norms."""
    for name, golden in step.gradients.items():
        ours = gradients[name]
        places = torch.from_numpy(golden.places(ours.plain.numel()))
        theirs = torch.from_numpy(golden.values.reshape(-1)[: len(places)])
        largest = float((ours.plain if golden.sampled else theirs).abs().max())
        noise = step.noise.get(name, step.noise.get('', 0))
        row = Row(step.model, 'train', f'gradient {name}', tuple(ours.plain.shape),
                  tolerance=max(GRADIENT_TOLERANCE, NOISE_FACTOR * noise))
        yield _float_row(row, ours, theirs, places, largest)
    for name, norm in step.gradient_norms.items():
        noise = step.norm_noise.get(name, step.noise.get(name, step.noise.get('', 0)))
        row = Row(step.model, 'train', f'norm of gradient {name}', (),
                  tolerance=max(GRADIENT_TOLERANCE, NOISE_FACTOR * noise))
        yield _float_row(row, gradients[f'norm of {name}'], torch.tensor(norm), slice(None), norm)


def _loss_name(official: str) -> str:
    """Mmdet's name of a loss: the last prediction's without a prefix."""
    name, _, layer = re.fullmatch(r'(loss_[a-z_]*[a-z])(_(\d+))?', official).groups()
    ours = dict(loss_ce='loss_cls', loss_mask_word='loss_grounding').get(name, name)
    return ours if layer is None else f'd{layer}.{ours}'


def _pairs(matching: list) -> list[set]:
    """Pairs of query and mask, for each prediction and image."""
    return [{*zip(*pair, strict=True)} for images in matching for pair in images]


def _sorted_points(points: np.ndarray) -> np.ndarray:
    """Points (N, P, 2) of each mask in an order that depends on nothing else."""
    return np.stack([mask[np.lexsort(mask.T)] for mask in points])
