"""Merging tokens for self-attention: exact where tokens are equal, and where none is merged."""

import pytest
import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention

from mmodise.models import StableDiffusionExtractor
from mmodise.models.extractors.token_merging import MergedAttention, match_tokens

SIDE, WIDTH = 8, 32


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope='module')
def attention():
    torch.manual_seed(0)
    return Attention(query_dim=WIDTH, heads=4, dim_head=8).eval().requires_grad_(False)


@pytest.mark.parametrize(('ratio', 'left'), [(0.0, 64), (0.5, 32), (0.75, 16)])
def test_equal_tokens_change_nothing(attention, ratio, left):
    """The four of each window are equal; of unequal ones the error is not small."""
    windows = draw(2, SIDE // 2, SIDE // 2, WIDTH)
    tokens = windows.repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(1, 2)
    assert match_tokens(tokens, ratio).sizes.shape == (2, left)
    merged = MergedAttention(attention.processor, ratio)
    torch.testing.assert_close(merged(attention, tokens), attention(tokens))
    error = (merged(attention, draw(2, 64, WIDTH)) - attention(draw(2, 64, WIDTH))).abs().max()
    assert (error > 0.01) == (ratio > 0)


def test_what_is_merged():
    """Every token but one is unlike all others: the most alike ones are merged, as their mean."""
    tokens = torch.eye(16)[None] * 5
    destination = match_tokens(tokens, 0.75).group[0].bincount().argmax().item()
    alone = match_tokens(tokens, 0.0)
    place = (alone.group[0] == destination).nonzero().item()  # of a destination
    other = next(i for i in range(16) if alone.group[0, i] >= 4)  # of no destination
    tokens[0, other] = 3 * tokens[0, place]
    merging = match_tokens(tokens, 1 / 16)
    assert merging.sizes.sum() == 16 and merging.sizes.max() == 2
    assert merging.group[0, other] == merging.group[0, place]
    restored = merging.unmerge(merging.merge(tokens))
    torch.testing.assert_close(restored[0, place], 2 * tokens[0, place])
    kept = [i for i in range(16) if i not in (place, other)]
    torch.testing.assert_close(restored[0, kept], tokens[0, kept])


def test_gradients(attention):
    tokens = draw(1, SIDE**2, WIDTH).double().requires_grad_()
    layer = attention.double()
    merged = MergedAttention(layer.processor, 0.5)
    merged(layer, tokens).square().sum().backward()
    step = 1e-5 * torch.randn(tokens.shape, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        change = (merged(layer, tokens + step).square() - merged(layer, tokens - step).square()
                  ).sum()
    torch.testing.assert_close((tokens.grad * 2 * step).sum(), change, rtol=1e-4, atol=1e-9)
    attention.float()


def test_in_stable_diffusion(small_models):
    folder = str(small_models / 'stable_diffusion')
    images = F.interpolate(draw(1, 3, 12, 12), (128, 128), mode='bicubic').clamp(0, 1)
    offset = torch.zeros(1, 77, 64, requires_grad=True)
    whole, merged, more = (
        StableDiffusionExtractor(folder, **settings)(images, offset) for settings in (
            {}, dict(merge_tokens=0.5), dict(merge_tokens=0.5, merge_levels=3)))
    errors = [[((ours - exact).norm() / exact.norm()).item()
               for ours, exact in zip(maps, whole, strict=True)] for maps in (merged, more)]
    assert all(error == 0 for maps in errors for error in maps[:2] + maps[-2:])  # the VAE's
    assert all(1e-3 < error < 0.15 for maps in errors for error in maps[2:-2])
    assert errors[1][2] > errors[0][2]
    gradients = [torch.autograd.grad(maps[4].square().sum(), offset)[0].flatten()
                 for maps in (whole, merged)]
    assert F.cosine_similarity(*gradients, dim=0) > 0.95


@pytest.mark.parametrize(('settings', 'message'), [
    (dict(merge_tokens=0.8), r'merge_tokens=0.8; give the share .* 0 to 0.75'),
    (dict(merge_tokens=0.5, merge_levels=5), r'merge_levels=5; 4 levels'),
    (dict(merge_tokens=0.5, unet_blocks=()), 'nothing of the UNet is read'),
    (dict(image_size=160), 'image_size=160; give a multiple of 64'),
])
def test_wrong_settings(small_models, settings, message):
    with pytest.raises(ValueError, match=message):
        StableDiffusionExtractor(str(small_models / 'stable_diffusion'), **settings)
