"""Texts at their own length against open_clip's towers, which take all positions."""

import open_clip
import pytest
import torch

from mmodise.models.clip import text_tower
from mmodise.models.clip.text_tower import encode_tokens

TEXTS = ['', 'cat', 'a photo of a very long name of a class, of many words', 'dog', 'cat ' * 100]


def make(monkeypatch, **text_cfg):
    torch.manual_seed(0)
    config = dict(
        embed_dim=16,
        vision_cfg=dict(image_size=32, layers=1, width=16, head_width=8, patch_size=16),
        text_cfg=dict(context_length=77, vocab_size=49408, width=16, heads=2, layers=2, **text_cfg))
    monkeypatch.setattr(text_tower, '_LITTLE', 0)
    monkeypatch.setattr(open_clip.factory, 'get_model_config', lambda name: config)
    model = open_clip.create_model('small', force_custom_text='no_causal_mask' in text_cfg
                                   or text_cfg.get('proj_bias', False)).eval()
    return model, open_clip.tokenize(TEXTS)


def positions_seen(model, tokens):
    seen = []
    text = getattr(model, 'text', model)
    hook = text.transformer.register_forward_pre_hook(
        lambda module, args: seen.append(tuple(args[0].shape[:2])))
    try:
        with torch.no_grad():
            return encode_tokens(model, tokens, torch.device('cpu')), seen
    finally:
        hook.remove()


@pytest.mark.parametrize('text_cfg', [{}, {'proj_bias': True}], ids=['one module', 'own module'])
def test_nothing_behind_the_end_token_counts(monkeypatch, text_cfg):
    model, tokens = make(monkeypatch, **text_cfg)
    assert hasattr(model, 'text') == bool(text_cfg)
    embedded, seen = positions_seen(model, tokens[:4])
    assert seen == [(4, 16)]  # 14 words and signs, begin and end
    with torch.no_grad():
        torch.testing.assert_close(embedded, model.encode_text(tokens[:4]), rtol=1e-5, atol=1e-6)


def test_batches_are_of_about_one_length(monkeypatch):
    model, tokens = make(monkeypatch)
    many = tokens[[4] + [1] * 64 + [0]]
    embedded, seen = positions_seen(model, many)
    assert seen == [(64, 3), (2, 77)]
    with torch.no_grad():
        torch.testing.assert_close(embedded, model.encode_text(many), rtol=1e-5, atol=1e-6)


def test_a_tower_that_sees_all_positions_gets_them(monkeypatch):
    model, tokens = make(monkeypatch, no_causal_mask=True)
    embedded, seen = positions_seen(model, tokens)
    assert seen == [(5, 77)]
    with torch.no_grad():
        assert torch.equal(embedded, model.encode_text(tokens))


def test_weights_stay_where_they_are(monkeypatch):
    model, tokens = make(monkeypatch)
    before = {name: value.data_ptr() for name, value in model.state_dict().items()}
    encode_tokens(model, tokens, torch.device('cpu'))
    assert {name: value.data_ptr() for name, value in model.state_dict().items()} == before
    assert model.positional_embedding.shape == (77, 16)


def test_what_takes_no_time_is_embedded_to_the_last_bit(monkeypatch):
    model, tokens = make(monkeypatch)
    weights = sum(p.numel() for p in model.transformer.parameters())
    monkeypatch.setattr(text_tower, '_LITTLE', 4.5 * weights)
    embedded, seen = positions_seen(model, tokens[:4])
    assert seen == [(4, 77)]
    with torch.no_grad():
        assert torch.equal(embedded, model.encode_text(tokens[:4]))
    assert positions_seen(model, tokens[:4].repeat(2, 1))[1] == [(8, 16)]
