"""Group normalization of inputs in channels_last."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmodise.models.extractors.precise_group_norm import PreciseGroupNorm


def norm_and_inputs(shape, mean=3.0, affine=True):
    torch.manual_seed(0)
    norm = PreciseGroupNorm(4, shape[1], 1e-6, affine)
    for weight in norm.parameters():
        nn.init.normal_(weight, 1.0, 0.5)
    channels = torch.linspace(0.5, 1.5, shape[1])[:, None, None]  # of a group, not all alike
    inputs = (torch.randn(shape) + mean) * channels
    return norm, inputs.to(memory_format=torch.channels_last)


def exact(norm, inputs):
    weights = [None if w is None else w.double() for w in (norm.weight, norm.bias)]
    return F.group_norm(inputs.double().contiguous(), norm.num_groups, *weights, norm.eps)


@pytest.mark.parametrize('affine', [True, False])
@pytest.mark.parametrize(('mean', 'largest'), [(0, 2e-6), (3, 2e-6), (300, 1e-4)])
def test_as_precise_as_float32_is(mean, largest, affine):
    norm, inputs = norm_and_inputs((2, 8, 384, 320), mean, affine)
    with torch.no_grad():
        found = norm(inputs)
    assert found.is_contiguous(memory_format=torch.channels_last) and found.dtype == torch.float32
    assert (found - exact(norm, inputs)).abs().max() < largest


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('mean', [3, 30, 300])
def test_in_16_bit_as_precise_as_results_are(mean, dtype):
    norm, inputs = norm_and_inputs((2, 8, 384, 320), mean)
    norm, inputs = norm.to(dtype), inputs.to(dtype)
    with torch.no_grad():
        found, expected = norm(inputs), exact(norm, inputs)
    assert found.is_contiguous(memory_format=torch.channels_last) and found.dtype == dtype
    errors = (found - expected).abs() / expected.abs().clamp_min(1)
    assert errors.max() < torch.finfo(dtype).eps


def test_rows_longer_than_what_is_added_up_at_a_time(monkeypatch):
    monkeypatch.setattr('mmodise.models.extractors.precise_group_norm.STRIP', 100)
    norm, inputs = norm_and_inputs((1, 8, 7, 30))
    assert (norm(inputs) - exact(norm, inputs)).abs().max() < 2e-6


def test_gradients():
    norm, inputs = norm_and_inputs((2, 8, 12, 10))
    leaves = inputs.requires_grad_(), norm.weight, norm.bias
    found = torch.autograd.grad(norm(inputs).pow(3).sum(), leaves)
    double = nn.GroupNorm(4, 8, 1e-6).double()
    double.load_state_dict(norm.state_dict())
    leaves = inputs.detach().double().requires_grad_(), double.weight, double.bias
    expected = torch.autograd.grad(double(leaves[0]).pow(3).sum(), leaves)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('change', [
    lambda x: x.contiguous(), lambda x: x.double(), lambda x: x.flatten(2), lambda x: x[:0]])
def test_all_else_is_left_to_torch(change):
    norm, inputs = norm_and_inputs((2, 8, 12, 10))
    inputs = change(inputs)
    norm.to(inputs.dtype)
    with torch.no_grad():
        assert torch.equal(norm(inputs), nn.GroupNorm.forward(norm, inputs))


def test_in_place_of_torchs_with_the_same_weights():
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ModuleDict({'norm': nn.GroupNorm(4, 8, 0.1)}))
    before = dict(network.eval().named_parameters())
    PreciseGroupNorm.replace_in(network)
    norm = network[1]['norm']
    assert isinstance(norm, PreciseGroupNorm) and norm.eps == 0.1 and not norm.training
    after = dict(network.named_parameters())
    assert before.keys() == after.keys()
    assert all(before[name] is after[name] for name in before)
