"""Weights that hold nan or infinity are named where they are read."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from mmodise.checkpoints import load_fitting
from mmodise.checkpoints.finite import check_finite
from mmodise.checkpoints.stable_diffusion import load_stable_diffusion
from mmodise.models import FrozenCLIP


def test_the_first_are_named_and_all_are_counted():
    broken = torch.ones(2, 3)
    broken[0, 1], broken[1, 1] = float('nan'), float('inf')
    weights = dict(a=torch.ones(3), b=broken, c=torch.tensor([1, 2]), d=-broken.half())
    with pytest.raises(ValueError, match=r'2 weights .*: b \(2 of 6 values\), d \(2 of 6 values\)'):
        check_finite(weights.items())


def test_large_numbers_are_numbers():
    check_finite([('a', torch.full((10, ), 3e38)), ('b', torch.full((9000, ), 6e4).half()),
                  ('c', torch.empty(3, device='meta')), ('d', None)])


def test_a_checkpoint_is_not_loaded():
    model = nn.Linear(2, 1)
    before = model.weight.clone()
    weights = dict(weight=torch.tensor([[1.0, float('-inf')]]), bias=torch.zeros(1))
    with pytest.raises(ValueError, match=r'weight \(1 of 2 values\)'):
        load_fitting(model, dict(state_dict=weights))
    assert torch.equal(model.weight, before)


def spoil(path, name):
    weights = load_file(path)
    weights[name].view(-1)[-1] = float('nan')
    save_file(weights, path, metadata=dict(format='pt'))


@pytest.mark.parametrize(('file', 'name', 'named'), [
    ('vae/diffusion_pytorch_model.safetensors', 'quant_conv.bias', 'vae.quant_conv.bias'),
    ('text_encoder/model.safetensors', None, 'text_encoder.'),
])
def test_stable_diffusion(small_models, tmp_path, file, name, named):
    folder = tmp_path / 'sd'
    shutil.copytree(small_models / 'stable_diffusion', folder)
    spoil(folder / file, name or next(n for n in load_file(folder / file) if 'final' in n))
    with pytest.raises(ValueError, match=rf'sd.*nan or infinity.*{named}'):
        load_stable_diffusion(str(folder))


def test_clip(small_models, tmp_path):
    folder = tmp_path / 'clip'
    shutil.copytree(small_models / 'clip', folder)
    spoil(folder / 'open_clip_model.safetensors', 'text_projection')
    with pytest.raises(RuntimeError, match=r'clip.*text_projection \(1 of 4096 values\)'):
        FrozenCLIP(str(folder))
