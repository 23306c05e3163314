"""FrozenCLIP against open_clip itself."""

import copy
import re

import open_clip
import pytest
import torch
import torch.nn.functional as F

from mmodise.models import FrozenCLIP
from mmodise.models.clip import frozen_clip
from mmodise.models.clip.masked_tokens import check_mask_tokens
from mmodise.models.clip.text_embeddings import TextEmbeddings
from mmodise.models.clip.tuned_tower import TunedTower


@pytest.fixture(scope='module')
def reference(small_models):
    return open_clip.create_model(f'local-dir:{small_models / "clip"}').eval()


@pytest.fixture
def clip(clip_cfg):
    return FrozenCLIP(clip_cfg['model'])


@pytest.fixture
def side(clip):
    """Of CLIP's square images, in pixels."""
    return clip.image_size[0]


def normalized(images):
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN).view(3, 1, 1)
    std = torch.tensor(open_clip.OPENAI_DATASET_STD).view(3, 1, 1)
    return (images - mean) / std


def test_one_network_in_memory(clip, clip_cfg):
    other = FrozenCLIP(clip_cfg['model'])
    assert other.frozen.model is clip.frozen.model
    assert copy.deepcopy(clip).frozen.model is clip.frozen.model


def test_frozen_is_no_part_of_the_module(clip):
    assert list(clip.parameters()) == []
    assert clip.state_dict() == {}
    clip.train()
    assert not clip.frozen.model.training
    assert not any(p.requires_grad for p in clip.frozen.model.parameters())


def test_precision_is_what_was_asked_for(small_models, clip):
    low = FrozenCLIP(str(small_models / 'clip'), precision='bf16')
    high = FrozenCLIP(str(small_models / 'clip'), precision='fp64')
    low.float(), clip.half(), high.half()
    assert [c.frozen.model.visual.proj.dtype for c in (low, clip, high)] == [
        torch.bfloat16, torch.float32, torch.float64]
    texts = [c.encode_texts(['a red ball']) for c in (high, clip)]
    assert texts[0].dtype == torch.float64
    assert 0 < (texts[0] - texts[1]).abs().max() < 1e-5


def test_autocast_changes_nothing(clip):
    images = torch.rand(1, 3, *clip.image_size, generator=torch.Generator().manual_seed(0))
    visible = torch.ones(1, 2, *(s // p for s, p in zip(
        clip.image_size, clip.patch_size, strict=True)), dtype=torch.bool)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        low = [clip.encode_images(images), clip.encode_masks(images, visible),
               clip.encode_texts(['a text that only this test knows'])]
    expected = [clip.encode_images(images), clip.encode_masks(images, visible),
                clip.frozen.model.encode_text(
                    clip.frozen.tokenizer(['a text that only this test knows']))]
    for ours, theirs in zip(low, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_texts_embedded_in_inference_mode_serve_training(clip):
    linear = torch.nn.Linear(clip.embed_dim, 1)
    with torch.inference_mode():
        clip.encode_texts(['first seen in inference mode'])
    linear(clip.encode_texts(['first seen in inference mode'])).sum().backward()
    assert linear.weight.grad.any()


def test_mask_tokens_need_a_vision_transformer():
    tower = open_clip.create_model(
        'RN50', vision_cfg=dict(layers=[1, 1, 1, 1], width=8, image_size=32)).visual
    with pytest.raises(ValueError, match=r'VisionTransformer.*this one is a ModifiedResNet'):
        check_mask_tokens(tower)


def test_bfloat16_is_near_float32(small_models, clip):
    low = FrozenCLIP(str(small_models / 'clip'), precision='bf16')
    assert low.frozen.model.visual.conv1.weight.dtype == torch.bfloat16
    images = torch.rand(2, 3, *clip.image_size, generator=torch.Generator().manual_seed(0))
    visible = torch.zeros(2, 3, *(s // p for s, p in zip(
        clip.image_size, clip.patch_size, strict=True)), dtype=torch.bool)
    visible[:, 1:, :2] = True
    for embed in (lambda c: c.encode_images(images), lambda c: c.encode_texts(['red ball', 'sand']),
                  lambda c: c.encode_masks(images, visible)):
        ours, expected = embed(low), embed(clip)
        assert ours.dtype == torch.float32
        assert 1e-4 < (ours - expected).norm() / expected.norm() < 2e-2


def test_a_cpu_embeds_a_few_images_at_a_time(clip, side):
    images = torch.rand(6, 3, side, side, generator=torch.Generator().manual_seed(0))
    seen = []
    hook = clip.frozen.model.visual.register_forward_pre_hook(
        lambda _, inputs: seen.append(len(inputs[0])))
    with hook:
        embeddings = clip.encode_images(images)
    at_once = 2**16 // side**2
    assert seen == [at_once] * (6 // at_once) + [6 % at_once] * (6 % at_once > 0)
    with torch.no_grad():
        expected = clip.frozen.model.encode_image(normalized(images))
    torch.testing.assert_close(embeddings, expected, rtol=1e-4, atol=1e-5)


def test_images_short_side_then_centre(clip, reference, side):
    images = torch.rand(2, 3, side // 2, side, generator=torch.Generator().manual_seed(0))
    resized = F.interpolate(images, (side, 2 * side), mode='bicubic', align_corners=False)
    with torch.no_grad():
        expected = reference.encode_image(normalized(resized[..., side // 2:3 * side // 2]))
    torch.testing.assert_close(clip.encode_images(images), expected, rtol=1e-4, atol=1e-5)


def test_texts_are_embedded_once(clip, clip_cfg, reference, monkeypatch):
    texts = ['a red ball', 'grass', 'a red ball', 'snow']
    with torch.no_grad():
        tokenizer = open_clip.get_tokenizer(f'local-dir:{clip_cfg["model"]}')
        expected = reference.encode_text(tokenizer(texts))
    torch.testing.assert_close(clip.encode_texts(texts), expected, rtol=1e-4, atol=1e-5)
    embedded = []
    monkeypatch.setattr(clip.frozen, 'texts', TextEmbeddings(100))
    clip.encode_texts(texts)
    encode = frozen_clip.encode_tokens
    monkeypatch.setattr(
        frozen_clip, 'encode_tokens',
        lambda model, tokens, device: (
            embedded.append(len(tokens)), encode(model, tokens, device))[1])
    clip.encode_texts([*texts, 'sand', 'sand'])
    assert embedded == [1]


def test_ten_thousand_names_are_embedded_once(clip, monkeypatch):
    """The head takes them bare, the classifier in a prompt, image after image."""
    monkeypatch.setattr(clip.frozen, 'texts', TextEmbeddings(65536))
    embedded = []
    monkeypatch.setattr(
        frozen_clip, 'encode_tokens',
        lambda model, tokens, device: (
            embedded.append(len(tokens)) or tokens[:, :clip.embed_dim].float()))
    names = [f'class {i}' for i in range(10000)]
    prompts = [f'a photo of a {name}.' for name in names]
    for _ in range(2):
        for texts in (names, prompts):
            assert clip.encode_texts(texts).shape == (10000, clip.embed_dim)
    assert sum(embedded) == 20000


def test_masks_against_one_long_masked_sequence(clip, reference, side):
    """The definition: mask tokens in the sequence, an attention mask, all in one pass."""
    generator = torch.Generator().manual_seed(0)
    rows = side // 8
    images = torch.rand(2, 3, side, side, generator=generator)
    visible = torch.rand(2, 5, rows, rows, generator=generator) > 0.6
    visible[0, 0] = False  # sees the class token only
    visual, num_masks, num_tokens = reference.visual, 5, 1 + rows**2
    allowed = torch.zeros(2, num_masks + num_tokens, num_masks + num_tokens, dtype=torch.bool)
    allowed[:, :, num_masks] = True  # all see the class token
    allowed[:, num_masks:, num_masks:] = True  # image tokens see each other
    allowed[:, :num_masks, num_masks + 1:] = visible.flatten(2)
    with torch.no_grad():
        tokens = visual._embeds(normalized(images))
        tokens = torch.cat([tokens[:, :1].expand(-1, num_masks, -1), tokens], dim=1)
        bias = torch.zeros(allowed.shape).masked_fill(~allowed, -torch.inf)
        for block in visual.transformer.resblocks:
            tokens = block(tokens, attn_mask=bias.repeat_interleave(2, dim=0))  # 2 heads
        expected = visual.ln_post(tokens[:, :num_masks]) @ visual.proj
    torch.testing.assert_close(
        clip.encode_masks(images, visible), expected, rtol=1e-4, atol=1e-4)


def randomize(visual, weights, generator):
    """Draw weights, and put them into the tower."""
    with torch.no_grad():
        for weight in weights.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
        weights.mask_scale.add_(6)
        visual.positional_embedding.copy_(weights.positions)
        for block, queries, values in zip(
                visual.transformer.resblocks, weights.queries, weights.values, strict=True):
            block.attn.in_proj_weight[:len(queries)] = queries
            block.attn.in_proj_weight[-len(values):] = values


@pytest.mark.parametrize(('soft', 'tuned'), [(False, False), (True, False), (True, True)])
def test_masks_in_the_last_blocks_against_one_long_sequence(clip, reference, side, soft, tuned):
    """Also MaskCLIP++'s definition: soft masks, which are added to what patches alone are seen."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, side, side, generator=generator)
    masks = torch.rand(2, 5, side // 8, side // 8, generator=generator)
    masks[0, 0] = 0  # shows nothing: sees all patches alike
    visual, weights = copy.deepcopy(reference.visual), TunedTower(reference.visual, 2)
    scale = torch.full((2, 2), -5.0)  # blocks, heads
    if tuned:
        randomize(visual, weights, generator)
        scale = weights.mask_scale.detach()
    flat = masks.flatten(2)[:, None]
    allowed = flat > 0.5 * flat.amax(-1, keepdim=True)
    with torch.no_grad():
        tokens = visual._embeds(normalized(images))
        blocks = visual.transformer.resblocks
        for block in blocks[:-2]:
            tokens = block(tokens)
        mask_tokens = tokens[:, :1].expand(-1, 5, -1)
        for block, weight in zip(blocks[-2:], scale, strict=True):
            bias = torch.zeros(2, 2, 5 + tokens.shape[1], 5 + tokens.shape[1])
            bias[..., :5] = -torch.inf  # nothing sees mask tokens
            bias[..., :5, 5] = -torch.inf if soft else 0  # the class token
            bias[..., :5, 6:] = torch.where(
                allowed, flat * weight.exp()[:, None, None] if soft else 0.0,
                -100.0 if soft else -torch.inf)
            both = block(torch.cat([mask_tokens, tokens], 1), attn_mask=bias.flatten(0, 1))
            mask_tokens, tokens = both[:, :5], both[:, 5:]
        expected = visual.ln_post(mask_tokens) @ visual.proj
    given = masks if soft else allowed[:, 0].unflatten(-1, masks.shape[2:])
    found = clip.encode_masks(images, given, last_blocks=2, tuned=weights if tuned else None)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert found.requires_grad == tuned


def test_unknown_model_says_what_is_accepted():
    with pytest.raises(RuntimeError, match=r'no-such-clip(?s:.)*open_clip_config\.json'):
        FrozenCLIP('no-such-clip')
    with pytest.raises(RuntimeError, match=r"no such folder.*near are \['ViT-B-32'"):
        FrozenCLIP('ViT-B-33', 'openai')
    with pytest.raises(RuntimeError, match=r"'folder/clip'.*: there is no such folder"):
        FrozenCLIP('folder/clip')


@pytest.mark.parametrize('name', ['open_clip_config.json', 'open_clip_model.safetensors'])
def test_a_missing_file_of_a_folder_is_named(small_models, tmp_path, name):
    others = sorted(file.name for file in (small_models / 'clip').iterdir() if file.name != name)
    for other in others:
        (tmp_path / other).symlink_to(small_models / 'clip' / other)
    expected = re.escape(f'the folder lacks {name}; found: {others}.')
    with pytest.raises(RuntimeError, match=expected):
        FrozenCLIP(str(tmp_path))
