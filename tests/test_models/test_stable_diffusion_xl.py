"""Features of Stable Diffusion XL, against diffusers' own networks called as its pipeline does."""

import math

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from mmdet.registry import MODELS

from mmodise.models import StableDiffusionXLExtractor

TIMESTEPS = (0, 200)


@pytest.fixture(scope='module')
def folder(small_xl):
    return str(small_xl / 'stable_diffusion_xl')


@pytest.fixture(scope='module')
def pipeline(folder):
    return StableDiffusionXLPipeline.from_pretrained(folder, local_files_only=True)


@pytest.fixture(scope='module')
def extractor(folder):
    return StableDiffusionXLExtractor(folder, timesteps=TIMESTEPS)


@pytest.fixture(scope='module')
def images():
    return torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))


def offsets_of(extractor):
    shape, generator = extractor.condition, torch.Generator().manual_seed(1)
    sizes = [(2, shape['text_length'], shape['text_width']),
             (2, len(extractor.timesteps), shape['time_width']), (2, shape['pooled_width'])]
    return [torch.randn(size, generator=generator).requires_grad_() for size in sizes]


@torch.no_grad()
def maps_of_the_pipeline(pipeline, images, texts, pooled, time=None):
    """What enters the blocks that are read by default, noted by hooks."""
    vae, unet = pipeline.vae, pipeline.unet
    sizes = pipeline._get_add_time_ids(
        (128, 128), (0, 0), (128, 128), dtype=torch.float32, text_encoder_projection_dim=64)
    notes, (_, size) = [], (len(images), images.shape[-1] // 8)
    blocks = [vae.encoder.down_blocks[2].resnets[1], vae.encoder.down_blocks[3].resnets[1],
              *(level.resnets[2] for level in unet.up_blocks),
              *(level.resnets[2] for level in vae.decoder.up_blocks[:2])]
    hooks = [block.register_forward_pre_hook(lambda _, args: notes.append(args[0]))
             for block in blocks]
    if time is not None:
        hooks.append(unet.time_embedding.register_forward_hook(lambda *args: args[2] + time))
    mean = vae.encode(2 * images - 1).latent_dist.mean
    noise = torch.randn(1, 4, size, size, generator=torch.Generator('cpu').manual_seed(42))
    for t in TIMESTEPS:
        a = math.prod(1 - (math.sqrt(0.00085) + i / 999 * (math.sqrt(0.012) - math.sqrt(0.00085)))
                      ** 2 for i in range(t + 1))
        latents = math.sqrt(a) * vae.config.scaling_factor * mean + math.sqrt(1 - a) * noise
        unet(latents, t, texts.expand(2, -1, -1), added_cond_kwargs=dict(
            text_embeds=pooled.expand(2, -1), time_ids=sizes.expand(2, -1)))
    vae.decode(mean)
    for hook in hooks:
        hook.remove()
    return notes


def assert_close(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_maps_equal_those_of_the_pipelines_networks(extractor, pipeline, images):
    texts, _, pooled, _ = pipeline.encode_prompt('', do_classifier_free_guidance=False)
    assert texts.shape == (1, 77, 128) and pooled.shape == (1, 64)
    with torch.no_grad():
        maps = extractor(images)
    assert_close(maps, maps_of_the_pipeline(pipeline, images, texts, pooled))
    assert [m.name for m in extractor.maps] == [
        'encoder5', 'encoder7', 'unet2.0', 'unet5.0', 'unet8.0', 'unet2.1', 'unet5.1', 'unet8.1',
        'decoder2', 'decoder5']
    assert extractor.feature_strides == [4, 8, *[32, 16, 8] * 2, 8, 4]
    assert extractor.feature_widths == [m.shape[1] for m in maps]


def test_offsets_are_added_to_what_the_pipeline_gives(extractor, pipeline, images):
    texts, _, pooled, _ = pipeline.encode_prompt('', do_classifier_free_guidance=False)
    text, time, more = (offset.detach() for offset in offsets_of(extractor))
    time[:] = time[:, :1]  # the same at both timesteps
    with torch.no_grad():
        maps = extractor(images, text, time, more)
    assert_close(maps, maps_of_the_pipeline(
        pipeline, images, texts + text, pooled + more, time[:, 0]))


def test_zeros_are_what_the_pipeline_gives_in_place_of_a_negative_prompt(
        folder, pipeline, images):
    _, texts, _, pooled = pipeline.encode_prompt('', do_classifier_free_guidance=True)
    zeros = StableDiffusionXLExtractor(folder, timesteps=TIMESTEPS, zero_text=True)
    with torch.no_grad():
        maps = zeros(images)
    assert_close(maps, maps_of_the_pipeline(pipeline, images, texts, pooled))


@pytest.mark.parametrize('zero_text', [False, True])
def test_captions_are_embedded_as_by_the_pipeline(folder, pipeline, images, zero_text):
    extractor = StableDiffusionXLExtractor(folder, timesteps=TIMESTEPS, zero_text=zero_text)
    extractor.load_text_encoder()
    captions = ['a red ball on the sand', '']
    texts, _, pooled, _ = pipeline.encode_prompt(captions, do_classifier_free_guidance=False)
    with torch.no_grad():
        for _ in range(2):  # the second time they are known
            maps = extractor(images, *extractor.embed_captions(captions))
            assert_close(maps, maps_of_the_pipeline(pipeline, images, texts, pooled))


def test_what_a_captioner_must_deliver(extractor):
    assert extractor.image_size == 128
    assert extractor.condition == dict(
        text_length=77, text_width=128, time_width=160, num_timesteps=2, pooled_width=64)


def test_gradients_reach_text_time_and_pooled_text(extractor, images):
    offsets = offsets_of(extractor)
    maps = extractor(images, *offsets)
    gradients = torch.autograd.grad(sum(m.square().mean() for m in maps), offsets)
    assert all(float(gradient.abs().max()) > 1e-6 for gradient in gradients)
    assert all(float(gradients[1][:, t].abs().max()) > 1e-6 for t in range(2))


def test_a_captioner_is_trained_through_it(folder, clip_cfg, images):
    backbone = MODELS.build(dict(
        type='DiffusionBackbone', captioner=dict(type='ImplicitCaptioner', clip=clip_cfg),
        extractor=dict(type='StableDiffusionXLExtractor', pretrained=folder), out_channels=128,
        window_size=128))
    levels = backbone(images)
    assert [tuple(level.shape[1:]) for level in levels] == [
        (128, side, side) for side in (32, 16, 8, 4)]
    sum(level.square().mean() for level in levels).backward()
    captioner = backbone.captioner
    for gate in (captioner.text_gate, captioner.time_gate, captioner.pooled_gate):
        assert float(gate.grad.abs().max()) > 0


@pytest.mark.parametrize('options', [dict(with_cp=True), dict(dtype='bfloat16')])
def test_options_of_the_parent(folder, extractor, images, options):
    ours = StableDiffusionXLExtractor(folder, timesteps=TIMESTEPS, **options)
    offsets = offsets_of(extractor)
    maps, expected = (e(images, *offsets) for e in (ours, extractor))
    largest = 3e-2 if 'dtype' in options else 1e-6
    for a, b in zip(maps, expected, strict=True):
        assert float(((a.float() - b).norm() / b.norm()).detach()) < largest


def test_nothing_after_the_last_map_is_kept(folder, pipeline, extractor):
    def size(*modules):
        return sum(p.numel() for m in modules for p in m.parameters())

    whole = pipeline.unet
    unused = whole.up_blocks[2].resnets[2], whole.conv_norm_out, whole.conv_out
    assert size(extractor.frozen.unet) == size(whole) - size(*unused)
    ours = StableDiffusionXLExtractor(folder, unet_blocks=(2, ))
    level = whole.up_blocks[0]
    assert size(ours.frozen.unet) == size(whole) - size(
        level.resnets[2], level.attentions[2], *level.upsamplers, *whole.up_blocks[1:],
        whole.conv_norm_out, whole.conv_out)


def test_attention_is_read_as_well(folder, images):
    """4 blocks in the down path: 2 transformers of 1, 2 of 2 make 6; 2 in the middle; 6 + 3 up."""
    with pytest.raises(ValueError, match='self0 to self16, features0 to features16, cross0 to cro'):
        StableDiffusionXLExtractor(folder, attentions=('self17', ))
    ours = StableDiffusionXLExtractor(
        folder, attentions=('cross6', 'self0', 'features16'), unet_blocks=(), decoder_blocks=())
    with torch.no_grad():
        maps = ours(images)
    assert [(m.name, m.channels, m.stride) for m in ours.maps[2:]] == [
        ('self0', 64, 16), ('cross6', 77, 32), ('features16', 80, 16)]
    for ours_map, m in zip(maps, ours.maps, strict=True):
        assert ours_map.shape == (2, m.channels, 128 // m.stride, 128 // m.stride)
