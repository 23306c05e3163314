"""Weights of golden sets that are generated from the names and shapes of their tensors."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm


def generated_files(
    folder: Path, work_dir: Path, shape_of: Callable[[Any], list[int]]
) -> Callable[[str], Path]:
    """A function that writes a weights file: 'sd', 'clip', or the name of a model.

    Args:
        folder (Path): The golden set, with the recipe ``weights.py`` and the lists of names.
        work_dir (Path): Where files are written.
        shape_of (Callable): Gives the shape of an entry of the lists of names.
    """
    spec = importlib.util.spec_from_file_location('golden_weights', folder / 'weights.py')
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)

    def write(name: str) -> Path:
        pattern = f'keys_{name}*.json' if name in ('sd', 'clip') else f'keys_odise_{name}.json'
        keys = json.loads(next(folder.glob(pattern)).read_text(encoding='utf-8'))
        kinds = name, f'odise_{name}', 'odise'  # what the recipe calls it
        kind = next(kind for kind in kinds if kind in ('sd', *recipe.LOGIT_SCALE))
        tensors = dict(_generate(recipe, keys, kind, shape_of))
        path = work_dir / dict(sd='sd.ckpt', clip='clip.pt').get(name, f'{name}.pth')
        torch.save(dict(sd=dict(state_dict=tensors), clip=tensors).get(
            name, dict(model=tensors)), path)
        return path

    return write


def _generate(
    recipe: ModuleType, keys: dict, kind: str, shape_of: Callable
) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of a weights file, checked against what the key list knows of it."""
    for key, entry in tqdm(keys.items(), desc=f'generating {kind}', leave=False):
        shape = shape_of(entry)
        if recipe.spec(key, tuple(shape), kind) is None:
            yield key, _buffer(key, shape)
            continue
        tensor = recipe.generate(key, shape, kind)
        known = entry['first'] if isinstance(entry, dict) else entry[1]
        found = tensor.flatten()[:4].tolist() if isinstance(entry, dict) \
            else recipe.checksum(tensor)
        if found != known:
            raise ValueError(f'{key} was generated otherwise than expected: {found}, not {known}.')
        yield key, tensor


def _buffer(key: str, shape: list[int]) -> Tensor:
    """Buffers have standard values, of which the loaders read none."""
    if key.endswith('position_ids'):
        return torch.arange(math.prod(shape)).reshape(shape)
    weights = torch.ones(shape)
    if key.endswith('empty_weight'):
        weights[-1] = 0.1
    return weights
