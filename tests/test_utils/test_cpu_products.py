"""Products of oneDNN in place of MKL's."""

import pytest
import torch

from mmodise.utils import cpu_products
from mmodise.utils.cpu_products import onednn_products

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available()
    or not hasattr(torch.ops.mkldnn, '_linear_pointwise'), reason='needs oneDNN')


@pytest.fixture
def slow_mkl(monkeypatch):
    monkeypatch.setattr(cpu_products, 'mkl_is_slow', lambda: True)
    yield
    onednn_products(False)


def run(rows, inner, columns):
    """A linear layer, and its gradients."""
    torch.manual_seed(0)
    x = torch.randn(2, rows // 2, inner, requires_grad=True)
    layer = torch.nn.Linear(inner, columns)
    y = layer(x)
    return [y.detach(), *torch.autograd.grad(y.square().sum(), (x, *layer.parameters()))]


def test_large_products_and_their_gradients(slow_mkl):
    expected = run(512, 300, 512)
    assert onednn_products()
    for ours, theirs in zip(run(512, 300, 512), expected, strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() < 2e-6 * theirs.abs().max()
    onednn_products(False)
    assert all(map(torch.equal, run(512, 300, 512), expected))


def test_only_large_ones_of_float32_leave_torch(slow_mkl, monkeypatch):
    left = []
    is_large = cpu_products._is_large

    def noted(one, other):
        left.append(is_large(one, other))
        return left[-1]

    monkeypatch.setattr(cpu_products, '_is_large', noted)
    onednn_products()
    small = torch.randn(4096, 128) @ torch.randn(128, 512)
    empty = torch.empty(0, 3) @ torch.empty(3, 2)
    whole = torch.ones(2, 3, dtype=torch.long) @ torch.ones(3, 2, dtype=torch.long)
    weighed = torch.addmm(torch.ones(2, 1), torch.ones(2, 4), torch.ones(4, 3), beta=2, alpha=3)
    assert left == [False] * 4
    assert small.shape == (4096, 512) and empty.shape == (0, 2)
    assert whole.tolist() == [[3, 3], [3, 3]] and weighed.tolist() == [[14.0] * 3] * 2
    torch.ones(512, 512, dtype=torch.float64) @ torch.ones(512, 512, dtype=torch.float64)
    torch.ones(512, 512) @ torch.ones(512, 512)
    assert left[4:] == [False, True]


def test_other_processors_keep_theirs(monkeypatch):
    monkeypatch.setattr(cpu_products, 'mkl_is_slow', lambda: False)
    assert not onednn_products()
