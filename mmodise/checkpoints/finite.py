"""Weights that are not numbers are found before they are used."""

from collections.abc import Iterable

import torch
from torch import Tensor


def check_finite(weights: Iterable[tuple[str, Tensor]]) -> None:
    """Refuse weights with nan or infinity, as broken downloads, merges and trainings have them.

    Args:
        weights (Iterable): Names and tensors; those without floating point or memory are skipped.

    Raises:
        ValueError: Names the first of them, and says how many there are.
    """
    found = [(name, value) for name, value in weights if not _is_finite(value)]
    if found:
        names = ', '.join(
            f'{name} ({int((~torch.isfinite(value)).sum())} of {value.numel()} values)'
            for name, value in found[:3])
        raise ValueError(
            f'{len(found)} weights hold nan or infinity, which would spoil all results: {names}'
            + (', ...' if found[3:] else '')
            + '. The file is broken; get it again, or go back to an earlier checkpoint.')


def _is_finite(value: object) -> bool:
    if not isinstance(value, Tensor) or value.is_meta or not value.is_floating_point():
        return True
    # a sum reads each number once and keeps nan and infinity; one that overflows is looked at
    total = value.sum(dtype=torch.float32)
    return bool(torch.isfinite(total)) or bool(torch.isfinite(value).all())
