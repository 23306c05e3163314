"""Whether two models of a comparison give the same results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmdet.structures import DetDataSample

#: Least share of pixels with the same panoptic id, and with the same class.
PIXELS = 0.9999
#: How far scores of instances, and losses relative to their size, may be apart.
SCORES, LOSSES = 1e-3, 1e-3


class OutputsDiffer(RuntimeError):
    """Two models that should give the same results do not."""


def compare_outputs(one: object, other: object) -> dict[str, float]:
    """How far two models agree, from what :meth:`Subject.call` gave for the same images.

    Args:
        one (Sequence[DetDataSample] | Mapping[str, float]): Results, or losses of a training step.
        other (Sequence[DetDataSample] | Mapping[str, float]): Likewise.

    Returns:
        dict[str, float]: The least share of equal ``panoptic`` and ``semantic`` pixels, and the
        largest difference of instances' ``scores``; or that of ``losses``, relative to their size.
    """
    if isinstance(one, Mapping):
        if one.keys() != other.keys():
            return dict(losses=torch.inf)
        one, other = ({name: float(torch.as_tensor(loss).detach()) for name, loss in losses.items()}
                      for losses in (one, other))
        return dict(losses=max(
            abs(one[name] - other[name]) / max(1.0, abs(other[name])) for name in one))
    return _compare_results(one, other)


def _compare_results(
    one: Sequence[DetDataSample], other: Sequence[DetDataSample]
) -> dict[str, float]:
    found = {}
    pairs = list(zip(one, other, strict=True))
    for kind in ('panoptic', 'semantic'):
        name = 'pred_panoptic_seg' if kind == 'panoptic' else 'pred_sem_seg'
        if name in one[0]:
            found[kind] = min(
                float((a.get(name).sem_seg == b.get(name).sem_seg).float().mean())
                for a, b in pairs)
    if 'pred_instances' in one[0]:
        found['scores'] = max(
            _largest_difference(a.pred_instances.scores, b.pred_instances.scores)
            for a, b in pairs)
    return found


def _largest_difference(one: torch.Tensor, other: torch.Tensor) -> float:
    if len(one) != len(other):
        return torch.inf
    return float((one.sort().values - other.sort().values).abs().max()) if len(one) else 0.0


def check_agreement(found: Mapping[str, float]) -> None:
    """Refuse results that differ by more than rounding.

    Args:
        found (Mapping[str, float]): Of :func:`compare_outputs`.

    Raises:
        OutputsDiffer: Says what, and by how much.
    """
    limits = dict(scores=SCORES, losses=LOSSES)
    wrong = [sentence for name, sentence in sentences(found).items() if not (
        found[name] >= PIXELS if name in ('panoptic', 'semantic') else found[name] <= limits[name])]
    if wrong:
        raise OutputsDiffer(
            f'The two models should give the same results, but {"; ".join(wrong)}.')


def sentences(found: Mapping[str, float]) -> dict[str, str]:
    """Each figure in words."""
    words = dict(
        panoptic='{:.3%} of the panoptic pixels are equal',
        semantic='{:.3%} of the semantic pixels are equal',
        scores='scores of instances differ by {:.1g} at most',
        losses='losses differ by {:.1g} of their size at most')
    return {name: words[name].format(value).replace('%', ' %') for name, value in found.items()}
