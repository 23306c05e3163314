"""Pooling under masks, worked out by hand."""

import math

import torch
from torch import nn

from mmodise.models.heads.mask_embedding import MaskEmbedding


def test_pools_where_the_mask_is_on():
    module = MaskEmbedding(2)
    module.pool_proj = module.embed = nn.Identity()
    features = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 10.0], [20.0, 30.0]]]])
    logits = torch.tensor([[
        [[5.0, -1.0], [0.1, -0.1]],  # left column: mean of 1, 3 and of 0, 20
        [[-1.0, -1.0], [-1.0, -1.0]],  # empty: zero
        [[0.0, 1.0], [-1.0, -1.0]],  # sigmoid(0) is not above 0.5
    ]])
    queries = torch.tensor([[[0.5, 0.0], [0.5, 7.0], [0.0, 0.0]]])
    expected = torch.tensor([[[2.5, 10.0], [0.5, 7.0], [2.0, 10.0]]])
    torch.testing.assert_close(module(queries, logits, features), expected)


def test_no_gradient_through_the_hard_mask():
    module = MaskEmbedding(4)
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    features = torch.randn(1, 4, 4, 4, requires_grad=True)
    module(torch.randn(1, 3, 4), logits, features).sum().backward()
    assert logits.grad is None
    assert features.grad is not None


def test_temperature_starts_at_0_07_and_stops_at_100():
    module = MaskEmbedding(2)
    torch.testing.assert_close(module.scale, torch.tensor(1 / 0.07))
    module.log_scale.data.fill_(math.log(1000))
    torch.testing.assert_close(module.scale, torch.tensor(100.0))


def test_masks_larger_than_half_precision_counts():
    module = MaskEmbedding(1)
    module.pool_proj = module.embed = nn.Identity()
    features = torch.full((1, 1, 300, 300), 0.5)
    with torch.autocast('cpu', dtype=torch.float16):
        embedding = module(torch.zeros(1, 1, 1), torch.ones(1, 1, 300, 300), features)
    torch.testing.assert_close(embedding, torch.tensor([[[0.5]]]))
