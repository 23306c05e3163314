"""The implicit captioner."""

import pytest
import torch

from mmodise.benchmark.small_models import CLIP_CONFIG, build_clip, save_clip
from mmodise.models import ImplicitCaptioner


@pytest.fixture
def captioner(clip_cfg):
    torch.manual_seed(0)
    return ImplicitCaptioner(
        clip_cfg, text_length=77, text_width=64, time_width=128, num_timesteps=2)


def test_starts_as_the_empty_caption(captioner):
    text, time = captioner(torch.rand(3, 3, 128, 128))
    assert text.shape == (3, 77, 64)
    assert time.shape == (3, 2, 128)
    assert not text.any()
    assert not time.any()


def test_offsets_by_the_formula(captioner):
    images = torch.rand(3, 3, 96, 96)
    for parameter in captioner.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    text, time = captioner(images)
    e = captioner.clip.encode_images(images)
    for b, token in ((0, 0), (2, 76)):
        inner = captioner.text_proj.weight @ e[b] + captioner.text_proj.bias
        inner = inner + captioner.text_position[0, token]
        torch.testing.assert_close(text[b, token], captioner.text_gate[0, token].tanh() * inner)
    inner = captioner.time_proj.weight @ e[1] + captioner.time_proj.bias
    inner = inner + captioner.time_position[0, 1]
    torch.testing.assert_close(time[1, 1], captioner.time_gate.tanh() * inner)


def test_parameters_of_the_full_size_are_the_official_ones(tmp_path, monkeypatch):
    """Two linear layers, two position tables, two gates (method, section 8)."""
    monkeypatch.setitem(CLIP_CONFIG, 'embed_dim', 768)
    save_clip(build_clip(), tmp_path)
    captioner = ImplicitCaptioner(dict(type='FrozenCLIP', model=str(tmp_path)))
    assert sum(p.numel() for p in captioner.parameters()) == 1_695_744


def test_pooled_text_in_place_of_a_time_embedding(clip_cfg):
    captioner = ImplicitCaptioner(
        clip_cfg, text_length=7, text_width=64, time_width=None, pooled_width=24)
    assert {name.split('_')[0] for name, _ in captioner.named_parameters()} == {'text', 'pooled'}
    images = torch.rand(2, 3, 128, 128)
    text, time, pooled = captioner(images)
    assert time is None
    assert text.shape == (2, 7, 64)
    assert pooled.shape == (2, 24)
    assert not pooled.any()
    torch.nn.init.constant_(captioner.pooled_gate, 0.5)
    embedding = captioner.clip.encode_images(images)
    expected = torch.tensor(0.5).tanh() * captioner.pooled_proj(embedding)
    torch.testing.assert_close(captioner(images)[2], expected)
