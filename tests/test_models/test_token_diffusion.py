"""Maps of aMUSEd: tokens, masks, and what is read, against diffusers' own networks."""

from itertools import pairwise

import mmodise  # noqa: F401  isort: skip, it makes the next ones importable
import pytest
import torch
from diffusers import UVit2DModel, VQModel
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

from mmodise.benchmark.small_models import build_clip, keep_scale
from mmodise.benchmark.small_token_generator import (
    MASK_TOKEN,
    TRANSFORMER_CONFIG,
    build_vqvae,
    save_amused,
)
from mmodise.models import TokenDiffusionExtractor

BLOCKS = dict(encoder_blocks=(1, 5, 7), transformer_layers=(1, 3))
TEXT, POOLED = (2, 77, 64), (2, 64)


@pytest.fixture(scope='module')
def folder(small_amused):
    return str(small_amused)


@pytest.fixture(scope='module')
def extractor(folder):
    return TokenDiffusionExtractor(folder, mask_shares=(0.0, 0.3), **BLOCKS)


@pytest.fixture(scope='module')
def images():
    return torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))


def draw(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def text_of(folder):
    """As in the pipeline."""
    encoder = CLIPTextModelWithProjection.from_pretrained(folder, subfolder='text_encoder').eval()
    tokenizer = CLIPTokenizer.from_pretrained(folder, subfolder='tokenizer')
    tokens = tokenizer(
        [''], return_tensors='pt', padding='max_length', truncation=True,
        max_length=tokenizer.model_max_length).input_ids
    outputs = encoder(tokens, return_dict=True, output_hidden_states=True)
    return outputs.hidden_states[-2], outputs.text_embeds


@torch.no_grad()
def test_maps_equal_those_of_the_whole_networks(folder, extractor, images):
    vqvae = VQModel.from_pretrained(folder, subfolder='vqvae').eval()
    transformer = UVit2DModel.from_pretrained(folder, subfolder='transformer').eval()
    notes = []
    for i, level in ((1, 0), (1, 2), (1, 3)):
        vqvae.encoder.down_blocks[level].resnets[i].register_forward_pre_hook(
            lambda _, args: notes.append(args[0]))
    for i in (1, 3):
        transformer.transformer_layers[i].register_forward_pre_hook(
            lambda _, args: notes.append(args[0]))
    # as AmusedInpaintPipeline encodes, and tells sizes
    latents = vqvae.encode(images).latents
    tokens = vqvae.quantize(latents)[2][2].reshape(2, 16, 16)
    assert len(tokens.unique()) > 30
    text, pooled = text_of(folder)
    order = torch.randperm(256, generator=torch.Generator('cpu').manual_seed(42))
    masked = tokens.flatten(1).clone()
    masked[:, order[:77]] = MASK_TOKEN  # of 76.8
    for inputs in (tokens, masked.view(2, 16, 16)):
        transformer(
            inputs, encoder_hidden_states=text.expand(2, -1, -1),
            pooled_text_emb=pooled.expand(2, -1),
            micro_conds=torch.tensor([[128., 128., 0., 0., 6.]]).expand(2, -1))
    maps = extractor(images)
    assert len(maps) == len(notes) == 7
    for of, ours, theirs in zip(extractor.maps, maps, notes, strict=True):
        if theirs.ndim == 3:
            theirs = theirs.transpose(1, 2).unflatten(2, (16, 16))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
        assert tuple(ours.shape) == (2, of.channels, 128 // of.stride, 128 // of.stride)
    assert extractor.feature_strides == [1, 4, 8, 8, 8, 8, 8]
    assert [(of.name, of.noise) for of in extractor.maps[3:]] == [
        ('transformer1.0', 0.0), ('transformer3.0', 0.0), ('transformer1.1', 0.3),
        ('transformer3.1', 0.3)]


def test_the_share_of_masked_tokens_is_exact_and_nested(folder):
    shares = (0.0, 0.25, 0.5, 1.0)
    extractor = TokenDiffusionExtractor(folder, mask_shares=shares, transformer_layers=(1, ))
    tokens = torch.arange(2 * 256).view(2, 16, 16)
    masked = (extractor.mask(tokens) == MASK_TOKEN).unflatten(0, (4, 2))
    assert masked.sum((2, 3)).tolist() == [[0, 0], [64, 64], [128, 128], [256, 256]]
    assert torch.equal(masked[:, 0], masked[:, 1])  # the same for all images
    for less, more in pairwise(masked):
        assert not (less & ~more).any()
    kept = extractor.mask(tokens).unflatten(0, (4, 2))[1][~masked[1]]
    assert torch.equal(kept, tokens[~masked[1]])


@pytest.mark.parametrize('with_cp', [False, True])
def test_the_gradient_reaches_the_text(folder, images, with_cp):
    extractor = TokenDiffusionExtractor(folder, with_cp=with_cp, **BLOCKS)
    assert extractor.condition == dict(
        text_length=77, text_width=64, time_width=None, num_timesteps=1, pooled_width=64)
    text, pooled = (torch.zeros(shape, requires_grad=True) for shape in (TEXT, POOLED))
    maps = extractor(images, text, None, pooled)
    assert [m.requires_grad for m in maps] == [False, False, False, True, True]
    sum((m * draw(m.shape, 1)).sum() for m in maps[3:]).backward()
    assert text.grad.abs().amax() > 1e-6 and pooled.grad.abs().amax() > 1e-6
    assert text.grad[0].ne(text.grad[1]).any() and pooled.grad[0].ne(pooled.grad[1]).any()
    with torch.no_grad():
        assert not torch.allclose(
            extractor(images, draw(TEXT, 2))[4], extractor(images)[4], atol=1e-2)


def test_nothing_after_the_last_map_is_kept(folder, extractor):
    whole = UVit2DModel.from_pretrained(folder, subfolder='transformer')
    unused = [*whole.transformer_layers[3:], whole.project_from_hidden_norm,
              whole.project_from_hidden, whole.up_block, whole.mlm_layer]

    def size(modules):
        return sum(p.numel() for m in modules for p in m.parameters())

    assert size([extractor.frozen.transformer]) == size([whole]) - size(unused)
    assert extractor.frozen.vqvae.decoder is None
    only_vq = TokenDiffusionExtractor(folder, transformer_layers=(), image_size=128)
    assert only_vq.frozen.transformer is only_vq.condition is None
    assert only_vq.feature_strides == [4, 8]


@torch.no_grad()
def test_a_transformer_over_a_halved_grid(tmp_path, images):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformer = UVit2DModel(**TRANSFORMER_CONFIG, downsample=True, upsample=True)
        keep_scale(transformer)
        save_amused(tmp_path, build_vqvae(), transformer, build_clip())
    extractor = TokenDiffusionExtractor(str(tmp_path), **BLOCKS)
    maps = extractor(images)
    assert extractor.feature_strides == [1, 4, 8, 16, 16]
    assert [m.shape[-1] for m in maps] == [128, 32, 16, 8, 8]
    assert torch.isfinite(maps[4]).all()


@torch.no_grad()
def test_a_vq_model_that_half_precision_is_too_small_for(tmp_path, small_amused, images):
    vqvae = VQModel.from_pretrained(small_amused, subfolder='vqvae')
    vqvae.register_to_config(force_upcast=True)
    transformer = UVit2DModel.from_pretrained(small_amused, subfolder='transformer')
    save_amused(tmp_path, vqvae, transformer, build_clip())
    images = images[..., :64, :64]
    half = TokenDiffusionExtractor(str(tmp_path), dtype='float16', **BLOCKS)
    assert [m.dtype for m in half(images)] == [torch.float32] * 3 + [torch.float16] * 2
    half = TokenDiffusionExtractor(str(small_amused), dtype='float16', **BLOCKS)
    assert {m.dtype for m in half(images)} == {torch.float16}


@pytest.mark.parametrize(('settings', 'message'), [
    (dict(transformer_layers=(5, )),
     r'no block 5 of the transformer.*encoder_blocks 0 to 7; transformer_layers 0 to 4'),
    (dict(encoder_blocks=(8, ), transformer_layers=(1, )), r'no residual block 8.*0 to 7;'),
    (dict(mask_shares=(0.5, 1.5), transformer_layers=(1, )), r'mask_shares=\(0\.5, 1\.5\).*0 .* 1'),
    (dict(mask_shares=(-0.1, ), transformer_layers=(1, )), r'mask_shares=\(-0\.1,\)'),
    (dict(image_size=100, transformer_layers=(1, )), r'image_size=100; give a multiple of 8'),
    (dict(transformer_layers=()), r'give image_size'),
])
def test_what_there_is_not_is_refused(folder, settings, message):
    with pytest.raises(ValueError, match='TokenDiffusionExtractor: .*' + message):
        TokenDiffusionExtractor(folder, **settings)
