from pathlib import Path

import numpy as np
import pytest
import torch

PARTS = Path(__file__).parents[1] / 'data/golden_open_parts'


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
