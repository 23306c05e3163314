"""mmcv's deformable attention over a part of the queries at a time: the same, in less memory."""

import pytest
import torch
from mmcv.ops import multi_scale_deform_attn
from torch.utils._python_dispatch import TorchDispatchMode

from mmodise.compat import deformable_attention

SHAPES = torch.tensor([[3, 4], [6, 8]])  # 60 pixels
QUERIES, SAMPLES_A_QUERY = 50, 2 * 2 * 8 * 2 * 3  # images, heads, channels, levels, points


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(2, 60, 2, 8, generator=generator)
    locations = torch.rand(2, QUERIES, 2, 2, 3, 2, generator=generator) * 1.2 - 0.1  # outside, too
    weights = torch.rand(2, QUERIES, 2, 2, 3, generator=generator)
    return [tensor.requires_grad_() for tensor in (value, locations, weights)]


@pytest.fixture
def counted():
    """mmcv's own code, and how many queries each of its calls took."""
    original = multi_scale_deform_attn.multi_scale_deformable_attn_pytorch.__wrapped__
    calls = []

    def count(value, shapes, locations, weights):
        calls.append(locations.shape[1])
        return original(value, shapes, locations, weights)

    return original, count, calls


def result_and_gradients(attention, inputs):
    value, locations, weights = inputs
    result = attention(value, SHAPES, locations, weights)
    assert result.is_contiguous()
    return result, torch.autograd.grad(result.square().sum(), inputs)


@pytest.mark.parametrize('samples, parts', [
    (20 * SAMPLES_A_QUERY, [20, 20, 10]), (SAMPLES_A_QUERY - 1, [1] * QUERIES), (2**22, [QUERIES])])
def test_equal_to_mmcvs_own(monkeypatch, inputs, counted, samples, parts):
    monkeypatch.setattr(deformable_attention, '_SAMPLES_CPU', samples)
    original, count, calls = counted
    expected, expected_gradients = result_and_gradients(original, inputs)
    result, gradients = result_and_gradients(deformable_attention.in_parts(count), inputs)
    assert calls[:len(parts)] == parts
    assert sorted(calls) == sorted(2 * parts)  # and once more in the backward pass
    assert torch.equal(result, expected)
    torch.testing.assert_close(gradients, expected_gradients, rtol=1e-5, atol=1e-5)


def test_a_gradient_keeps_nothing_that_was_sampled(inputs, counted):
    def kept(attention):
        found = {}

        def keep(tensor):
            found[tensor.untyped_storage().data_ptr()] = tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            value, locations, weights = inputs
            result = attention(value, SHAPES, locations, weights)
        return sum(found.values()), result

    original, _, _ = counted
    assert kept(original)[0] > QUERIES * SAMPLES_A_QUERY
    in_parts, _ = kept(deformable_attention.in_parts(original))
    assert in_parts <= sum(tensor.numel() for tensor in (*inputs, SHAPES))


class Numbers(TorchDispatchMode):
    """Counts numbers that are read out of tensors one by one."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func._schema.name == 'aten::_local_scalar_dense'
        return func(*args, **(kwargs or {}))


def test_shapes_are_not_read_number_by_number(inputs, counted):
    """A GPU would be waited for: 3 numbers a level, each time. They are kept with the tensor."""
    original, _, _ = counted
    with Numbers() as numbers:
        result_and_gradients(original, inputs)
        assert numbers.count == 3 * len(SHAPES)
        result_and_gradients(deformable_attention.in_parts(original), inputs)
        assert numbers.count == 3 * len(SHAPES)
    assert SHAPES.mmodise_numbers == SHAPES.tolist() == [[3, 4], [6, 8]]


def test_it_is_in_mmcvs_place_once():
    deformable_attention.install()
    installed = multi_scale_deform_attn.multi_scale_deformable_attn_pytorch
    assert installed.__wrapped__.__module__ == multi_scale_deform_attn.__name__
    assert not hasattr(installed.__wrapped__, '__wrapped__')
