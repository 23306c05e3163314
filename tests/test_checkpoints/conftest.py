from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

PARTS = Path(__file__).parents[1] / 'data/golden_open_parts'

_DRAWING = {'aten::normal_', 'aten::uniform_', 'aten::randn', 'aten::fill_', 'aten::zero_'}
_COPYING = {'aten::copy_', 'aten::clone', 'aten::_to_copy', 'aten::mul'}


@pytest.fixture(scope='session')
def weight_operations():
    """Give a context that tells which operations have drawn or copied tensors of a given size."""

    @contextmanager
    def watch(numel):
        class Watch(TorchDispatchMode):
            def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                result = func(*args, **kwargs or {})
                name = func._schema.name
                if (name in _DRAWING | _COPYING and isinstance(result, torch.Tensor)
                        and not result.is_meta and result.numel() >= numel):
                    seen.add(name)
                return result

        seen = set()
        with Watch():
            yield seen

    return watch


@pytest.fixture(scope='session')
def original_file(tmp_path_factory):
    """Give a function that writes a file of weights as the original programs save them.

    It is 'clip' (open_clip) or 'stable_diffusion_text' (CompVis), of the golden set 'open'. The
    embeddings of tokens that no text of the set has are zeros.
    """

    def write(name):
        with np.load(PARTS / f'{name}.npz') as file:
            arrays = dict(file)
        for rows in [key for key in arrays if key.endswith('_rows')]:
            table, known = rows.removesuffix('_rows'), arrays.pop(rows)
            whole = np.zeros((49408, arrays[table].shape[1]), arrays[table].dtype)
            whole[known] = arrays[table]
            arrays[table] = whole
        weights = {key: torch.from_numpy(array) for key, array in arrays.items()}
        path = tmp_path_factory.mktemp('original') / f'{name}.ckpt'
        torch.save(weights if name == 'clip' else dict(state_dict=weights, global_step=0), path)
        return path

    return write
