"""Scores of classes with synonyms, worked out by hand."""

import math

import pytest
import torch

from mmodise.models.text_similarity import class_scores


def test_maximum_over_names():
    # cosines with (1, 0): 0.6, -1, 0 and 0.8
    names = torch.tensor([[3.0, 4.0], [-2.0, 0.0], [0.0, 5.0], [4.0, 3.0]])
    scores = class_scores(
        torch.tensor([[7.0, 0.0]]), names, [0, 1, 2, 2], torch.tensor(10.0))
    torch.testing.assert_close(scores, torch.tensor([[6.0, -10.0, 8.0]]))


def test_one_name_a_class():
    names = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    scores = class_scores(
        torch.tensor([[[0.0, 2.0]]]), names, [0, 1], torch.tensor(2.0))
    torch.testing.assert_close(scores, torch.tensor([[[math.sqrt(2), 2.0]]]))


def test_all_negative_cosines():
    names = torch.tensor([[-1.0, 0.0], [-3.0, 4.0]])
    scores = class_scores(
        torch.tensor([[1.0, 0.0]]), names, [0, 0], torch.tensor(1.0))
    torch.testing.assert_close(scores, torch.tensor([[-0.6]]))


def test_only_the_best_name_gets_the_gradient():
    names = torch.tensor([[1.0, 0.1], [0.1, 1.0]], requires_grad=True)
    class_scores(
        torch.tensor([[1.0, 0.0]]), names, [0, 0], torch.tensor(1.0)).sum().backward()
    assert names.grad[0].abs().sum() > 0
    assert names.grad[1].abs().sum() == 0


@pytest.mark.parametrize('indices', [range(40), [i // 2 for i in range(40)]])
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_float32_under_autocast(indices, dtype):
    """Half precision would be 0.1 off: scale 100 x what bfloat16 rounds of a cosine."""
    generator = torch.Generator().manual_seed(0)
    embeddings, names = (torch.randn(n, 256, generator=generator) for n in (20, 40))
    embeddings[:20] += names[:20]
    scale = torch.tensor(100.0)
    exact = class_scores(embeddings, names, [*indices], scale)
    with torch.autocast('cpu', dtype=dtype):
        mixed = class_scores(embeddings, names, [*indices], scale)
        rounded = class_scores(embeddings.to(dtype), names.to(dtype), [*indices], scale)
    assert mixed.dtype == rounded.dtype == torch.float32
    assert torch.equal(mixed, exact)
    assert (rounded - exact).abs().max() < 0.05, 'only the embeddings are rounded'
