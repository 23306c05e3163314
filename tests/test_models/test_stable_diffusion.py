"""The extractor: schedule, noise, and what is read, against diffusers run to the end."""

import math

import pytest
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, UNet2DConditionModel

from mmodise.models import StableDiffusionExtractor
from mmodise.models.extractors import precision
from mmodise.models.extractors.noise import scaled_linear_schedule
from mmodise.models.extractors.precise_group_norm import PreciseGroupNorm


@pytest.fixture(scope='module')
def folder(small_models):
    return str(small_models / 'stable_diffusion')


@pytest.fixture(scope='module')
def extractor(folder):
    return StableDiffusionExtractor(folder)


@pytest.fixture(scope='module')
def images():
    return torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))


def inputs_of(blocks: list) -> list:
    """What goes into modules, noted by hooks."""
    notes = []
    for block in blocks:
        block.register_forward_pre_hook(lambda _, args: notes.append(args[0]))
    return notes


def test_noise_schedule():
    alphas = scaled_linear_schedule()
    assert len(alphas) == 1000
    assert alphas[0] == pytest.approx(1 - 0.00085, abs=1e-12)
    assert alphas[1] == pytest.approx(
        (1 - 0.00085) * (1 - (math.sqrt(0.00085) + (math.sqrt(0.012) - math.sqrt(0.00085)) / 999)
                         ** 2), abs=1e-12)
    assert alphas[999] == pytest.approx(0.0046602, abs=1e-6)  # Stable Diffusion's last value


def test_noise_is_the_fixed_one_and_scaled_in_closed_form(folder):
    extractor = StableDiffusionExtractor(folder, timesteps=(0, 500, -1))
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator('cpu').manual_seed(42))
    latents = torch.ones(2, 4, 16, 16)
    noisy = extractor.add_noise(latents).unflatten(0, (3, 2))
    a_500 = math.prod(
        1 - (math.sqrt(0.00085) + t / 999 * (math.sqrt(0.012) - math.sqrt(0.00085))) ** 2
        for t in range(501))
    torch.testing.assert_close(
        noisy[0], (math.sqrt(0.99915) + math.sqrt(0.00085) * noise).expand(2, -1, -1, -1))
    torch.testing.assert_close(
        noisy[1], (math.sqrt(a_500) + math.sqrt(1 - a_500) * noise).expand(2, -1, -1, -1))
    assert torch.equal(noisy[2], latents)  # a negative timestep: no noise


def test_maps_equal_those_of_the_whole_networks(folder, extractor, images):
    vae = AutoencoderKL.from_pretrained(folder, subfolder='vae').eval()
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder='unet').eval()
    notes = inputs_of(
        [vae.encoder.down_blocks[2].resnets[1], vae.encoder.down_blocks[3].resnets[1]]
        + [block.resnets[2] for block in unet.up_blocks]
        + [vae.decoder.up_blocks[0].resnets[2], vae.decoder.up_blocks[1].resnets[2]])
    with torch.no_grad():
        maps = extractor(images)
        mean = vae.encode(2 * images - 1).latent_dist.mean
        noise = torch.randn(1, 4, 16, 16, generator=torch.Generator('cpu').manual_seed(42))
        latents = vae.config.scaling_factor * mean
        noisy = math.sqrt(0.99915) * latents + math.sqrt(0.00085) * noise
        unet(noisy, 0, encoder_hidden_states=extractor.frozen.empty_text.expand(2, -1, -1))
        vae.decode(mean)
    assert len(maps) == len(notes) == 8
    for i, (ours, theirs) in enumerate(zip(maps, notes, strict=True)):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
        assert ours.shape[1] == extractor.feature_widths[i]
        assert ours.shape[-1] == 128 // extractor.feature_strides[i]
    assert extractor.feature_strides == [4, 8, 64, 32, 16, 8, 8, 4]


def test_nothing_after_the_last_map_is_kept(folder, extractor):
    unet, vae = extractor.frozen.unet, extractor.frozen.vae
    whole = UNet2DConditionModel.from_pretrained(folder, subfolder='unet')
    last = whole.up_blocks[3]
    unused = [last.resnets[2], last.attentions[2], whole.conv_norm_out, whole.conv_out]

    def size(modules):
        return sum(p.numel() for m in modules for p in m.parameters())

    assert size([unet]) == size([whole]) - size(unused)
    assert len(vae.decoder.up_blocks) == 2


def test_several_timesteps_equal_single_ones(folder, images):
    both = StableDiffusionExtractor(folder, timesteps=(0, 200))
    text = torch.randn(2, 77, 64, generator=torch.Generator().manual_seed(1))
    time = torch.randn(2, 2, 160, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        maps = both(images, text, time)
        for i, timestep in enumerate(both.timesteps):
            single = StableDiffusionExtractor(folder, timesteps=(timestep, ))
            expected = single(images, text, time[:, i : i + 1])
            for ours, theirs in zip(maps[2 + 4 * i : 6 + 4 * i], expected[2:6], strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert both.feature_strides == [4, 8, *[64, 32, 16, 8] * 2, 8, 4]


@pytest.mark.parametrize(
    ('blocks', 'strides'),
    [(dict(unet_blocks=()), [4, 8, 8, 4]), (dict(decoder_blocks=()), [4, 8, 64, 32, 16, 8]),
     (dict(unet_blocks=(4, ), encoder_blocks=(0, )), [1, 32, 8, 4])])
def test_other_choices_of_blocks(folder, images, blocks, strides):
    extractor = StableDiffusionExtractor(folder, **blocks)
    with torch.no_grad():
        maps = extractor(images)
    assert extractor.feature_strides == strides
    assert [128 // m.shape[-1] for m in maps] == strides
    assert [m.shape[1] for m in maps] == extractor.feature_widths


def relative_errors(ours, expected):
    return [float((a.float() - b).norm() / b.norm()) for a, b in zip(ours, expected, strict=True)]


@pytest.mark.parametrize(('dtype', 'largest'), [('bfloat16', 3e-2), ('float16', 4e-3)])
def test_lower_precision_of_the_networks(folder, extractor, images, dtype, largest):
    images = F.interpolate(images[..., ::16, ::16], (128, 128), mode='bicubic').clamp(0, 1)
    ours = StableDiffusionExtractor(folder, dtype=dtype)
    weights = [p for network in ours.frozen_modules() for p in network.parameters()]
    assert {w.dtype for w in weights} == {getattr(torch, dtype)}
    with torch.no_grad():
        maps, expected = ours(images), extractor(images)
    assert {m.dtype for m in maps} == {getattr(torch, dtype)}
    errors = relative_errors(maps, expected)
    assert largest / 100 < max(errors) < largest


def test_the_vae_sees_as_many_images_at_once_as_fill_one_of_512(folder, extractor):
    images = torch.rand(17, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    seen = []
    vae = extractor.frozen.vae
    hooks = [network.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
             for network in (vae.encoder, vae.decoder)]
    with torch.no_grad():
        maps = extractor(images)
        together = list(seen)
        parts = [extractor(part) for part in images.split([9, 8])]
    for hook in hooks:
        hook.remove()
    assert together == [16, 1, 16, 1]
    expected = [torch.cat(pair) for pair in zip(*parts, strict=True)]
    assert max(relative_errors(maps, expected)) < 1e-5


def test_channels_last_changes_the_order_in_memory_only(folder, extractor, images):
    ours = StableDiffusionExtractor(folder, channels_last=True)
    with torch.no_grad():
        maps, expected = ours(images), extractor(images)
    assert max(relative_errors(maps, expected)) < 1e-5
    assert all(m.is_contiguous(memory_format=torch.channels_last) for m in maps)
    norms = [m for network in ours.frozen.networks() for m in network.modules()
             if isinstance(m, torch.nn.GroupNorm)]
    assert len(norms) > 20 and {type(norm) for norm in norms} == {PreciseGroupNorm}


@pytest.mark.parametrize(('dtype', 'large', 'vae', 'unet'), [
    ('float32', 128, True, False), ('bfloat16', 128, True, True), ('bfloat16', 129, False, False)])
def test_the_order_in_memory_that_is_faster(folder, monkeypatch, dtype, large, vae, unet):
    monkeypatch.setattr(precision, 'LARGE', large)
    frozen = StableDiffusionExtractor(folder, dtype=dtype).frozen
    weights = frozen.vae.encoder.conv_in.weight, frozen.unet.conv_in.weight
    assert [not w.is_contiguous() for w in weights] == [vae, unet]


@pytest.mark.parametrize('with_cp', [False, True])
def test_compiled_level_by_level(folder, extractor, images, with_cp):
    torch.compiler.reset()  # what other tests have compiled counts against torch's limit
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    ours = StableDiffusionExtractor(folder, with_cp=with_cp, compile=dict(backend=backend))

    def maps_and_gradients(model):
        shape = model.condition
        text = torch.zeros(2, shape['text_length'], shape['text_width'], requires_grad=True)
        time = torch.zeros(2, 1, shape['time_width'], requires_grad=True)
        maps = model(images, text, time)
        return maps, torch.autograd.grad(sum(m.square().mean() for m in maps), (text, time))

    expected, gradients = maps_and_gradients(extractor)
    for _ in range(2):
        maps, ours_gradients = maps_and_gradients(ours)
        assert max(relative_errors(maps, expected)) < 1e-6
        torch.testing.assert_close(ours_gradients, gradients, rtol=1e-5, atol=1e-9)
        assert len(graphs) == 4 + 4 + 4 + len(ours.frozen.vae.decoder.up_blocks)


def test_a_precision_that_there_is_not(folder):
    message = "dtype='bf16'; give one of float32, bfloat16, float16"
    with pytest.raises(ValueError, match=message):
        StableDiffusionExtractor(folder, dtype='bf16')


def test_a_block_that_is_not_there(folder):
    with pytest.raises(ValueError, match='no residual block 12; the blocks are 0 to 11'):
        StableDiffusionExtractor(folder, unet_blocks=(12, ))
