"""A line of the table: what we compute beside what the official model computes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from golden_sets import Golden
from torch import Tensor

#: Of a stage's largest value. Mask embeddings and what follows from them pool over hard masks.
TOLERANCE, EMBEDDING_TOLERANCE = 1e-4, 3e-4
#: Share of the pixels of a map; other whole numbers, such as tokens, are equal.
MAP_TOLERANCE = 1e-3

_EMBEDDING = re.compile(
    r'(pred\.(aux\d+\.)?mask_(embed|pooled_features)|head\.logits.*|out\..*'
    r'|clip\.(in_open_logits|mask_embed|mask_logits|fused_open_logits)|final\.(mask_cls|prob))')
_MAP = re.compile(
    r'image|clip\.(patch_masked_out|mask_visible)|dec\.layer\d+\.attn_mask|pred\.pred_masks_positive|out\.(sem_.*|inst\.masks)')


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
        return Span(self.plain, torch.fmin(self.low, values), torch.fmax(self.high, values))


Spans = dict[str, Span]


def spans_of(stages: dict[str, Tensor], before: Spans | None = None) -> Spans:
    """The spans of stages of a run, after those of earlier runs."""
    if before is None:
        return {name: Span.of(values) for name, values in stages.items() if values is not None}
    return {name: span.widened(stages[name]) for name, span in before.items()}


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
        plain (float, optional): The relative error of the run with the weights as they are, of
            what may depend on single pixels.
        whole (bool): Whether it is of whole numbers, which have no range: of several runs, the one
            that agrees best counts.
    """

    model: str
    case: str
    stage: str
    shape: tuple[int, ...]
    error: float = float('nan')
    relative: float = float('nan')
    tolerance: float = 0
    plain: float | None = None
    whole: bool = False

    @property
    def passed(self) -> bool:
        """Whether the error is tolerated; one that is not a number is not."""
        return self.relative <= self.tolerance

    @property
    def jumps(self) -> bool:
        """Whether only the range of several runs passes."""
        return self.passed and self.plain is not None and not self.plain <= self.tolerance


def missing(model: str, case: str, name: str, why: str = 'unknown') -> Row:
    """The line of an array that we do not have, or that the set does not."""
    return Row(model, case, f'{name} ({why})', ())


def may_jump(row: Row) -> bool:
    """Whether a failure may be the work of a threshold that more runs would show to both sides."""
    return not row.passed and row.plain is not None


def best(rows: list[Row], before: list[Row] | None) -> list[Row]:
    """Lines after a further run; of whole numbers those of the run that agrees best."""
    if before is None:
        return rows
    return [row if not row.whole else replace(min(row, old, key=lambda r: r.relative),
                                              plain=old.plain)
            for row, old in zip(rows, before, strict=True)]


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
    if not golden.fits(whole.numel()):
        return Row(model, case, f'{name} (of another shape)', tuple(whole.shape))
    places = torch.from_numpy(golden.places(whole.numel()))
    theirs = torch.from_numpy(golden.values.reshape(-1)[: len(places)])
    if not (theirs.is_floating_point() and whole.is_floating_point()):
        return whole_row(model, case, name, theirs, whole.reshape(-1)[places], whole.shape)
    tolerance = golden.tolerance or (
        EMBEDDING_TOLERANCE if _EMBEDDING.fullmatch(name) else TOLERANCE)
    row = Row(model, case, name, tuple(whole.shape), tolerance=tolerance)
    return float_row(row, ours, theirs, places, golden.largest or largest_of(theirs))


def whole_row(
    model: str, case: str, name: str, theirs: Tensor, ours: Tensor, shape: tuple[int, ...]
) -> Row:
    """The line of whole numbers, by how many differ."""
    wrong = int((theirs.double() != ours.double()).sum())
    tolerance = MAP_TOLERANCE if _MAP.fullmatch(name) else 0
    return Row(model, case, name, tuple(shape), wrong, wrong / max(len(theirs), 1), tolerance)


def largest_of(values: Tensor) -> float:
    """Largest magnitude that is a number; 0 where there is none."""
    values = values[values.isfinite()]
    return float(values.abs().max()) if values.numel() else 0.0


def float_row(
    row: Row, ours: Span, theirs: Tensor, places: Tensor | slice, largest: float
) -> Row:
    """Fill in the error of floating-point values: of the plain run, or else of the range."""
    plain, low, high = (values.double().reshape(-1)[places] for values in ours)
    theirs, largest = theirs.double().reshape(-1), max(largest, 1e-12)
    if not theirs.numel():
        row.plain = row.relative = row.error = 0.0
        return row
    same = theirs == plain  # infinities, too
    row.plain = float((plain - theirs).abs().where(~same, 0).max()) / largest
    outside = torch.maximum(low - theirs, theirs - high).clamp(min=0)
    row.relative = row.plain if row.plain <= row.tolerance \
        else float(outside.where(~same, 0).max()) / largest
    row.error = row.relative * largest
    return row
