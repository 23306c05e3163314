"""Layers that multiply in int8, and networks of them."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmodise.models import StableDiffusionExtractor
from mmodise.models.int8 import Int8Conv2d, Int8Linear, is_quantized, quantize


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('shift', [-3.0, 0.0, 3.0])  # of the inputs: one sign, or both
@pytest.mark.parametrize('layer', [
    nn.Linear(32, 24), nn.Linear(32, 24, bias=False), nn.Conv2d(32, 24, 3, stride=2, padding=1),
    nn.Conv2d(32, 24, 3, padding=2, dilation=2)])
@torch.no_grad()
def test_a_layer(layer, shift):
    """Steps are 1 / 127 of the weights' range and 1 / 254 of the inputs'."""
    is_linear = isinstance(layer, nn.Linear)
    layer.weight.copy_(draw(*layer.weight.shape) * torch.linspace(0.01, 3, 24).view(
        -1, *[1] * (layer.weight.ndim - 1)))  # outputs of different sizes
    inputs = (draw(3, 5, 32, seed=1) if is_linear else draw(3, 32, 9, 9, seed=1)) + shift
    low = (Int8Linear if is_linear else Int8Conv2d)(layer)
    ours, expected = low(inputs), layer(inputs)
    assert ours.shape == expected.shape and ours.dtype == torch.float32
    channel = -1 if is_linear else 1
    error = (ours - expected).movedim(channel, 0).flatten(1).norm(dim=1)
    assert (error < 0.03 * expected.movedim(channel, 0).flatten(1).norm(dim=1)).all()
    assert error.sum() > 0
    alone = torch.cat([low(one) for one in (inputs * torch.tensor([1, 9, 1]).view(
        -1, *[1] * (inputs.ndim - 1))).split(1)])
    assert torch.equal(alone[::2], ours[::2])  # whatever else is in the batch
    assert torch.equal(copy.deepcopy(low)(inputs), ours)


def test_what_is_quantized():
    network = nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.Conv2d(32, 32, 3, groups=32), nn.GroupNorm(4, 32),
        nn.Sequential(nn.Conv2d(32, 32, 1)), nn.MultiheadAttention(32, 4), nn.Linear(32, 8))
    assert not is_quantized(network)
    quantize(network)
    assert [type(part) for part in (network[3][0], network[5])] == [Int8Conv2d, Int8Linear]
    assert sum(type(part) in (Int8Conv2d, Int8Linear) for part in network.modules()) == 2
    assert is_quantized(network)


def test_no_gradient_passes():
    layer = Int8Linear(nn.Linear(32, 8))
    with pytest.raises(RuntimeError, match=r"no gradients.*Train with another precision"):
        layer(torch.rand(1, 32, requires_grad=True))


@torch.no_grad()
def test_stable_diffusion(small_models):
    folder = str(small_models / 'stable_diffusion')
    images = F.interpolate(torch.rand(
        1, 3, 12, 12, generator=torch.Generator().manual_seed(0)), (128, 128), mode='bicubic')
    for ours, expected in zip(
            StableDiffusionExtractor(folder, dtype='int8')(images),
            StableDiffusionExtractor(folder)(images), strict=True):
        assert ours.dtype == torch.float32
        assert 1e-4 < (ours - expected).norm() / expected.norm() < 0.05
    with pytest.raises(ValueError, match="dtype='int8' is not compiled"):
        StableDiffusionExtractor(folder, dtype='int8', compile=True)
