"""Instances and panoptic maps: which of ours is which of the official model's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from golden_sets import Case, Golden
from mmdet.evaluation.functional import INSTANCE_OFFSET
from parity_rows import MAP_TOLERANCE, Row, missing
from scipy.optimize import linear_sum_assignment
from torch import Tensor

#: The stage that says how many instances more we have than the official model.
SURPLUS = 'out.inst (surplus)'
_WRONG_CLASS = 1e3


def matched_instances(case: Case, ours: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our instances in the order of the golden set's, and how many more we have.

    Args:
        case (Case): The image.
        ours (dict[str, Tensor]): Our stages, with instances in no order.

    Returns:
        dict[str, Tensor]: The stages 'out.inst.*', those of instances that we do not have not a
        number, or -1; and :data:`SURPLUS`. Areas are floating-point numbers, as they have a range.
    """
    names = [name for name in case.arrays if name.startswith('out.inst.') and name in ours]
    if not names:
        return {}
    ours = {name: ours[name].double() if name.endswith('areas') else ours[name] for name in names}
    number, count = _number_of_instances(case), len(ours[names[0]])
    theirs_matched, ours_matched = linear_sum_assignment(_costs(case, ours, number, count))
    stages = {SURPLUS: torch.tensor(float(count - number))}
    for name, values in ours.items():
        filler = float('nan') if values.is_floating_point() else \
            False if values.dtype == torch.bool else -1
        stages[name] = values.new_full((number, *values.shape[1:]), filler)
        stages[name][theirs_matched] = values[ours_matched]
    return stages


def _number_of_instances(case: Case) -> int:
    """How many instances the official model found."""
    for name in ('scores', 'classes', 'mask_areas', 'boxes'):
        if golden := case.arrays.get(f'out.inst.{name}'):
            return len(golden.values)
    masks = case.arrays['out.inst.masks']
    return masks.values.size // (case.size[0] * case.size[1])


def _costs(case: Case, ours: dict[str, Tensor], number: int, count: int) -> np.ndarray:
    """How little each of the set's instances is one of ours: other class, score, area, mask."""
    costs = torch.zeros(number, count, dtype=torch.float64)
    pixels = case.size[0] * case.size[1]
    for name, values in ours.items():
        width = pixels if name.endswith('masks') else 1
        values = values.float().reshape(count, width)
        theirs = torch.from_numpy(case.arrays[name].values).reshape(-1)[: number * width]
        if theirs.numel() < number * width:
            continue  # a sample of masks
        theirs = theirs.float().reshape(number, width)
        if width == pixels:  # of masks, the pixels that only one of them has
            difference = theirs.sum(1)[:, None] + values.sum(1) - 2 * theirs @ values.T
        else:
            difference = (theirs - values.T).abs()
        if name.endswith('classes'):
            costs += _WRONG_CLASS * (difference > 0)
        else:
            costs += difference / (1 if name.endswith('scores') else pixels)
    return costs.numpy()


def compare_panoptic(case: Case, name: str, golden: Golden, ours: Tensor) -> Iterator[Row]:
    """Compare a panoptic map; each segment with the one of ours that covers most of it."""
    theirs = torch.from_numpy(golden.values.astype(np.int64))
    segments = case.segments.get(name.removeprefix('out.panoptic.'))
    if theirs.shape != ours.shape:
        yield Row(case.model, case.name, f'{name} (of another shape)', tuple(ours.shape))
        return
    if segments is None:
        yield missing(case.model, case.name, name.replace('out.panoptic', 'segments'), 'not stored')
        return
    wrong, matches = (theirs == 0) & (ours != -1), []
    known = torch.tensor([0, *(segment['id'] for segment in segments)])
    wrong |= ~torch.isin(theirs, known)
    for segment in segments:
        inside = theirs == segment['id']
        matches.append(int(ours[inside].mode().values) if inside.any() else -1)
        wrong |= inside & (ours != matches[-1])
    wrong = int(wrong.sum())
    yield _whole(case, name, ours.shape, wrong, ours.numel(), MAP_TOLERANCE)
    expected = [(segment['category_id'], segment['isthing']) for segment in segments]
    classes = [match // INSTANCE_OFFSET for match in matches]
    differing = sum(known != (label, label in case.things)
                    for known, label in zip(expected, classes, strict=True))
    ours_only = {*ours.unique().tolist()} - {-1, *matches}
    differing += len(ours_only) + len(matches) - len({*matches})  # two of theirs are one of ours
    yield _whole(case, name.replace('out.panoptic', 'segments'), (len(segments), ), differing,
                 len(segments), 0)


def _whole(
    case: Case, stage: str, shape: tuple[int, ...], wrong: int, count: int, tolerance: float
) -> Row:
    share = wrong / max(count, 1)
    return Row(case.model, case.name, stage, tuple(shape), wrong, share, tolerance, share, True)
