"""Weights of golden sets that are generated from the names and shapes of their tensors."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor
from tqdm import tqdm


def load_recipe(folder: Path) -> ModuleType:
    """The recipe ``weights.py`` of a golden set."""
    spec = importlib.util.spec_from_file_location('golden_weights', folder / 'weights.py')
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    return recipe


def generated_files(folder: Path, work_dir: Path) -> Callable[[str], Path]:
    """A function that gives a weights file, written once: 'sd', 'clip', or the name of a model.

    Args:
        folder (Path): The golden set, with the recipe ``weights.py`` and the lists of names.
        work_dir (Path): Where files are written.
    """
    recipe = load_recipe(folder)

    def write(name: str) -> Path:
        path = work_dir / dict(sd='sd.ckpt', clip='clip.pt').get(name, f'{name}.pth')
        if not path.exists():
            tensors = dict(_generate(recipe, _keys(folder, name), name))
            torch.save(dict(sd=dict(state_dict=tensors), clip=tensors).get(
                name, dict(model=tensors)), path)
        return path

    return write


def _keys(folder: Path, name: str) -> dict:
    """The list of names of a weights file."""
    own = ('sd', 'clip', 'fcclip')
    pattern = f'keys_{name}*.json' if name in own else f'keys_odise_{name}.json'
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise FileNotFoundError(f'{folder} has {len(found)} files {pattern}, where one is needed.')
    return json.loads(found[0].read_text(encoding='utf-8'))


def _generate(recipe: ModuleType, keys: dict, name: str) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of a weights file, checked against what the key list knows of it.

    An entry is a shape and a checksum, or a dictionary with the shape and the first values.
    """
    kinds = name, f'odise_{name}', 'odise'  # what the recipe calls it
    kind = next(kind for kind in kinds if kind in ('sd', *recipe.LOGIT_SCALE))
    for key, entry in tqdm(keys.items(), desc=f'generating {name}', leave=False):
        shape, known = (entry['shape'], entry.get('first')) if isinstance(entry, dict) else entry
        if recipe.spec(key, tuple(shape), kind) is None:
            yield key, _buffer(key, shape)
            continue
        tensor = recipe.generate(key, shape, kind)
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
