"""Averaging what was fine-tuned with what it started from."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..utils import WholeFileBackend
from .finite import check_finite
from .reading import load_shipped


def average_weights(
    start: Mapping[str, Tensor], tuned: Mapping[str, Tensor], share: float = 0.5
) -> dict[str, Tensor]:
    """Average the weights of a model before and after its fine-tuning.

    What fine-tuning on few classes makes a model forget comes back at little cost to what it has
    learned: the two lie in one valley of the loss ("Robust fine-tuning of zero-shot models",
    arXiv 2109.01903).

    Args:
        start (Mapping[str, Tensor]): What the fine-tuning started from.
        tuned (Mapping[str, Tensor]): What came out.
        share (float): Of what was fine-tuned: 0 is ``start``, 1 is ``tuned``. Defaults to 0.5.

    Returns:
        dict[str, Tensor]: Weights in the precision of ``tuned``; what is no floating point number,
        such as a counter, is that of ``tuned``.

    Raises:
        ValueError: If the share is not from 0 to 1, if the two are not of one model, or if weights
            hold nan or infinity.
    """
    if not 0 <= share <= 1:
        raise ValueError(f'The share of what was fine-tuned is {share}, expected 0 to 1.')
    differing = [
        f'{name} ({_shape(start, name)} before, {_shape(tuned, name)} after)'
        for name in sorted({*start, *tuned}) if _shape(start, name) != _shape(tuned, name)]
    if differing:
        raise ValueError(
            f'Not one model before and after its training: {len(differing)} weights differ in '
            f'name or shape, the first: {", ".join(differing[:3])}.')
    check_finite([*start.items(), *tuned.items()])
    return {name: torch.lerp(start[name].float(), after.float(), share).to(after.dtype)
            if after.is_floating_point() else after
            for name, after in tuned.items()}


def write_average(start: str, tuned: str, out: Path, share: float = 0.5) -> int:
    """Average two checkpoints, see :func:`average_weights`, into a file for testing and inference.

    Args:
        start (str): The checkpoint that the fine-tuning started from: a path, or the name of one
            that comes with mmodise.
        tuned (str): The checkpoint that came out, likewise.
        out (Path): The new file; gets the metainfo of ``tuned``.
        share (float): Of what was fine-tuned. Defaults to 0.5.

    Returns:
        int: The number of weights.

    Raises:
        FileExistsError: If ``out`` is there.
        OSError: If a file cannot be read or written.
        ValueError: If a file is no checkpoint, or the two do not go together.
    """
    if out.exists():
        raise FileExistsError(f'{out} is there already, and would be overwritten.')
    before, after = (load_shipped(name, map_location='cpu') for name in (start, tuned))
    weights = average_weights(
        before.get('state_dict', before), after.get('state_dict', after), share)
    content = io.BytesIO()
    torch.save(dict(meta=after.get('meta', {}), state_dict=weights), content)
    WholeFileBackend().put(content.getvalue(), out)
    return len(weights)


def _shape(weights: Mapping[str, Tensor], name: str) -> str:
    return ' x '.join(map(str, weights[name].shape)) if name in weights else 'missing'
