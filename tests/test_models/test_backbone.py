"""The backbone: windows of a batch in one pass, and where gradients go."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS as MMSEG_MODELS
from mmseg.utils import register_all_modules

from mmodise.models import DiffusionBackbone
from mmodise.models.extractors.precision import LARGE

SIDE = 128  # the small diffusion model's own size
STRIDES = (4, 8, 16, 32)


def build(small_models, clip_cfg, **kwargs):
    torch.manual_seed(0)
    extractor = dict(
        type='StableDiffusionExtractor', pretrained=str(small_models / 'stable_diffusion'))
    captioner = dict(type='ImplicitCaptioner', clip=clip_cfg)
    backbone = DiffusionBackbone(**{
        'extractor': extractor, 'captioner': captioner, 'out_channels': 128, 'window_size': SIDE,
        **kwargs})
    open_gates(backbone.captioner)
    return backbone


def open_gates(captioner, value=0.5):
    torch.nn.init.constant_(captioner.text_gate, value)
    torch.nn.init.constant_(captioner.time_gate, value)


@pytest.fixture(scope='module')
def backbone(small_models, clip_cfg):
    return build(small_models, clip_cfg).requires_grad_(False)


@pytest.fixture
def trained(small_models, clip_cfg):
    return build(small_models, clip_cfg)


@pytest.fixture
def precise(small_models, clip_cfg):
    """In float64, where no rounding error moves an activation over a kink."""
    extractor = dict(
        type='StableDiffusionExtractor', pretrained=str(small_models / 'stable_diffusion'),
        dtype='float64')
    captioner = dict(type='ImplicitCaptioner', clip=dict(clip_cfg, precision='fp64'))
    return build(small_models, clip_cfg, extractor=extractor, captioner=captioner).double()


def images(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_a_batch_of_windows_equals_each_window_alone(precise):
    batch = images(2, 3, 192, 256).double()
    maps = precise(batch)
    for i in range(2):
        for stride, ours, expected in zip(
                STRIDES, maps, windows_one_by_one(precise, batch[i]), strict=True):
            assert ours.shape == (2, 128, 192 // stride, 256 // stride)
            assert (ours[i] - expected).abs().max() < 1e-5 * expected.abs().max()


def windows_one_by_one(backbone, image):
    """Maps of an image of 192 x 256; rows 64 to 127 are in both rows of windows."""
    sums = [torch.zeros(128, 192 // s, 256 // s) for s in STRIDES]
    counts = [torch.zeros(192 // s, 256 // s) for s in STRIDES]
    for y in (0, 64):
        for x in (0, 128):
            maps = backbone(image[None, :, y : y + SIDE, x : x + SIDE])
            for stride, total, count, part in zip(STRIDES, sums, counts, maps, strict=True):
                rows = slice(y // stride, (y + SIDE) // stride)
                columns = slice(x // stride, (x + SIDE) // stride)
                total[:, rows, columns] += part[0]
                count[rows, columns] += 1
    return [total / count for total, count in zip(sums, counts, strict=True)]


@pytest.mark.parametrize('max_windows', [1, 3])
def test_fewer_windows_at_once_change_neither_maps_nor_gradients(precise, max_windows):
    batch = images(2, 3, 192, 128).double()  # 2 windows an image, which overlap
    calls = []
    precise.extractor.register_forward_pre_hook(lambda _, args: calls.append(len(args[0])))
    runs = []
    for precise.max_windows in (None, max_windows):
        precise.zero_grad()
        maps = precise(batch)
        sum(m.square().mean() for m in maps).backward()
        runs.append([*maps, *(p.grad.clone() for p in precise.parameters())])
    assert calls == [4, *([1] * 4 if max_windows == 1 else [3, 1])]
    for expected, ours in zip(*runs, strict=True):
        assert (ours - expected).abs().max() < 1e-5 * expected.abs().max()


@torch.no_grad()
def test_a_cpu_sees_as_many_windows_at_once_as_make_512_pixels(precise):
    wide = images(1, 3, 320, 896).double()  # 3 rows of 7 windows
    calls = []
    precise.extractor.register_forward_pre_hook(lambda _, args: calls.append(len(args[0])))
    runs = [precise(wide)]
    precise.max_windows = 21
    runs.append(precise(wide))
    assert calls == [16, 5, 21]
    for expected, ours in zip(*runs, strict=True):
        assert (ours - expected).abs().max() < 1e-5 * expected.abs().max()


@torch.no_grad()
def test_a_caption_for_all_windows(small_models, clip_cfg, precise):
    """Of the image squeezed into a square; of an image of one window nothing changes."""
    wide = images(2, 3, 128, 256).double()
    seen = []
    precise.captioner.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    exact, exact_square = precise(wide), precise(wide[..., :128])
    precise.caption_whole_images = True
    assert all(map(torch.equal, precise(wide[..., :128]), exact_square))
    seen.clear()
    ours = precise(wide)
    squeezed, = seen
    assert torch.equal(
        squeezed, F.interpolate(wide, (SIDE, SIDE), mode='bicubic', align_corners=False))
    second = tuple(offset[1:] for offset in precise.captioner(squeezed))
    precise.captioner.forward = lambda _: second
    precise.caption_whole_images = False
    for x in (0, 128):  # both windows of the second image with its caption
        window = precise(wide[1:, ..., x : x + SIDE])
        for whole, part, other in zip(ours, window, exact, strict=True):
            columns = slice(x * part.shape[-1] // SIDE, (x + SIDE) * part.shape[-1] // SIDE)
            torch.testing.assert_close(whole[1:, ..., columns], part)
            assert part.shape[-1] == 32 or not torch.allclose(other[1:, ..., columns], part)


def test_a_caption_without_captioner_is_refused(small_models, clip_cfg):
    with pytest.raises(ValueError, match='caption_whole_images=True needs a captioner'):
        DiffusionBackbone(extractor=dict(), caption_whole_images=True)


def test_larger_windows_in_one_pass(small_models, clip_cfg):
    """The maps are those of the extractor for the whole image."""
    extractor = dict(
        type='StableDiffusionExtractor', pretrained=str(small_models / 'stable_diffusion'),
        image_size=192)
    large = build(small_models, clip_cfg, extractor=extractor, window_size=192)
    batch = images(1, 3, 192, 192)
    features = large.extractor(batch, *large.captioner(batch))
    assert [f.shape[-1] * s for f, s in zip(
        features, large.extractor.feature_strides, strict=True)] == [192] * 8
    torch.testing.assert_close(
        large(batch)[2], large.projections[4](features[4]), rtol=1e-4, atol=1e-5)


def test_a_captioner_is_not_trained_through_int8(small_models, clip_cfg):
    low = build(small_models, clip_cfg, extractor=dict(
        type='StableDiffusionExtractor', pretrained=str(small_models / 'stable_diffusion'),
        dtype='int8')).eval()
    with pytest.raises(ValueError, match=r"extractor\.dtype='int8' passes no gradients"):
        low.train()
    low.captioner.requires_grad_(False)
    low.train()


def test_no_window_at_once_is_refused(small_models, clip_cfg):
    with pytest.raises(ValueError, match='max_windows=0; give 1 or more, or None'):
        build(small_models, clip_cfg, max_windows=0)


def test_images_smaller_than_the_model_are_upsampled(backbone):
    small = images(1, 3, 64, 64)
    maps = backbone(small)
    assert [tuple(m.shape) for m in maps] == [(1, 128, 64 // s, 64 // s) for s in STRIDES]
    # bicubic, without antialiasing; the maps are then of the window's own size, by nearest cells
    large = F.interpolate(small, (SIDE, SIDE), mode='bicubic', align_corners=False)
    features = backbone.extractor(large, *backbone.captioner(large))
    at_8 = [1, 5, 6]  # VAE encoder block 7, UNet block 11, VAE decoder block 2
    expected = sum(backbone.projections[i](features[i][..., ::2, ::2]) for i in at_8)
    torch.testing.assert_close(maps[1], expected, rtol=1e-4, atol=1e-5)


def test_maps_that_are_summed(backbone):
    """Method, section 5: strides 4, 8, 16, 32 from eight maps, stride 64 clamped to 32."""
    assert backbone.extractor.feature_strides == [4, 8, 64, 32, 16, 8, 8, 4]
    assert backbone.strides == [4, 8, 32, 32, 16, 8, 8, 4]
    batch = images(1, 3, SIDE, SIDE)
    features = backbone.extractor(batch, *backbone.captioner(batch))
    doubled = features[2].repeat_interleave(2, -1).repeat_interleave(2, -2)
    expected = backbone.projections[2](doubled) + backbone.projections[3](features[3])
    torch.testing.assert_close(backbone(batch)[3], expected, rtol=1e-4, atol=1e-5)


def test_one_optimizer_step_changes_the_captioner_and_no_frozen_weight(trained):
    frozen = [p for module in (trained.extractor, trained.captioner.clip)
              for network in module.frozen_modules() for p in network.parameters()]
    before = [p.clone() for p in frozen]
    parameters = list(trained.named_parameters())
    sum(m.square().mean() for m in trained(images(1, 3, SIDE, SIDE))).backward()
    without = [name for name, p in parameters if p.grad is None or not p.grad.any()]
    assert not without
    assert len(before) > 100
    assert all(p.grad is None and not p.requires_grad for p in frozen)
    torch.optim.SGD(trained.parameters(), lr=1.0).step()
    assert all(torch.equal(p, b) for p, b in zip(frozen, before, strict=True))


def test_frozen_networks_in_bfloat16(small_models, clip_cfg, trained):
    """Maps and gradients stay in float32, and near those of frozen networks in float32."""
    low = build(
        small_models, clip_cfg,
        extractor=dict(
            type='StableDiffusionExtractor', pretrained=str(small_models / 'stable_diffusion'),
            dtype='bfloat16', channels_last=True),
        captioner=dict(type='ImplicitCaptioner', clip=dict(clip_cfg, precision='bf16')))
    low.load_state_dict(trained.state_dict())
    batch = F.interpolate(images(1, 3, 12, 8), (192, 128), mode='bicubic').clamp(0, 1)
    runs = []
    for backbone in (low, trained):
        maps = backbone(batch)
        sum(m.square().mean() for m in maps).backward()
        runs.append((maps, [p.grad for p in backbone.captioner.parameters()]))
    (maps, gradients), (expected_maps, expected_gradients) = runs
    for ours, expected in zip(maps, expected_maps, strict=True):
        assert ours.dtype == torch.float32
        assert 1e-4 < (ours - expected).norm() / expected.norm() < 3e-2
    for ours, expected in zip(gradients, expected_gradients, strict=True):
        assert F.cosine_similarity(ours.flatten(), expected.flatten(), dim=0) > 0.98


@torch.no_grad()
def test_large_windows_are_exact_in_channels_last_too(small_models, clip_cfg):
    side = LARGE + 128
    faster, usual = (
        build(small_models, clip_cfg, window_size=side, extractor=dict(
            type='StableDiffusionExtractor', pretrained=str(small_models / 'stable_diffusion'),
            image_size=side, channels_last=order)) for order in (None, False))
    usual.load_state_dict(faster.state_dict())
    assert not faster.extractor.frozen.vae.encoder.conv_in.weight.is_contiguous()
    plain = torch.full((1, 3, side, side), 0.9)  # whose means are large beside their deviations
    plain[..., :32, :32] = images(3, 32, 32)
    for ours, expected in zip(faster(plain), usual(plain), strict=True):
        assert (ours - expected).abs().max() < 1e-5 * expected.abs().max()


def test_closed_gates_learn_first(trained):
    captioner = trained.captioner
    open_gates(captioner, 0.0)
    sum(m.square().mean() for m in trained(images(1, 3, SIDE, SIDE))).backward()
    assert captioner.text_gate.grad.any() and captioner.time_gate.grad.any()
    # what they multiply cannot learn before they have opened
    assert not captioner.text_proj.weight.grad.any()
    assert not captioner.time_position.grad.any()


def test_recomputing_the_projections_changes_no_gradient(small_models, clip_cfg):
    batch = images(1, 3, SIDE, SIDE)
    gradients = []
    for with_cp in (False, True):
        backbone = build(small_models, clip_cfg, with_cp=with_cp)
        sum(m.square().mean() for m in backbone(batch)).backward()
        gradients.append([p.grad for p in backbone.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, plain, rtol=1e-4, atol=1e-7)


def test_recomputing_the_projections_saves_memory(small_models, clip_cfg, monkeypatch):
    """Of the VAE's maps too, the largest, which need no gradient themselves."""
    memory = []
    for with_cp in (False, True):
        backbone = build(small_models, clip_cfg, with_cp=with_cp)
        maps = [torch.rand(2, width, SIDE // stride, SIDE // stride) for width, stride in zip(
            backbone.extractor.feature_widths, backbone.extractor.feature_strides, strict=True)]
        monkeypatch.setattr(backbone.extractor, 'forward', lambda *args, maps=maps: maps)
        kept = {}

        def keep(tensor, kept=kept):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            features = backbone(images(2, 3, SIDE, SIDE))
        assert all(m.requires_grad for m in features)
        memory.append(sum(kept.values()))
    assert memory[1] < memory[0] / 4


def test_without_captioner_it_is_the_empty_caption(small_models, clip_cfg, backbone):
    batch = images(1, 3, SIDE, SIDE)
    silent = build(small_models, clip_cfg)
    silent.load_state_dict(backbone.state_dict())
    open_gates(silent.captioner, 0.0)
    alone = DiffusionBackbone(
        extractor=dict(
            type='StableDiffusionExtractor', pretrained=str(small_models / 'stable_diffusion')),
        out_channels=128, window_size=SIDE)
    alone.projections.load_state_dict(backbone.projections.state_dict())
    with torch.no_grad():
        for ours, expected, captioned in zip(
                alone(batch), silent(batch), backbone(batch), strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)
            # strides 8 to 32 read the UNet, stride 4 the VAE alone
            assert torch.equal(captioned, ours) == (ours.shape[-1] == 32)


def test_a_stride_without_map(small_models, clip_cfg):
    extractor = dict(
        type='StableDiffusionExtractor', pretrained=str(small_models / 'stable_diffusion'),
        unet_blocks=(2, ))
    with pytest.raises(ValueError, match=r'no map of stride \[16\] is read'):
        DiffusionBackbone(extractor=extractor)


def test_maps_go_where_strides_says(small_models, clip_cfg):
    """The UNet alone has no map of stride 4, so each of its four is put one level higher."""
    extractor = dict(
        type='StableDiffusionExtractor', pretrained=str(small_models / 'stable_diffusion'),
        encoder_blocks=(), decoder_blocks=())
    batch = images(1, 3, SIDE, SIDE)
    backbone = DiffusionBackbone(
        extractor=extractor, out_channels=128, window_size=SIDE, strides=(32, 16, 8, 4))
    maps, features = backbone(batch), backbone.extractor(batch)
    assert backbone.extractor.feature_strides == [64, 32, 16, 8]
    for ours, feature, project in zip(
            maps, reversed(features), reversed(backbone.projections), strict=True):
        doubled = feature.repeat_interleave(2, -1).repeat_interleave(2, -2)
        torch.testing.assert_close(ours, project(doubled), rtol=1e-4, atol=1e-5)


def test_maps_may_be_reduced(small_models):
    extractor = dict(
        type='StableDiffusionExtractor', pretrained=str(small_models / 'stable_diffusion'),
        unet_blocks=())
    backbone = DiffusionBackbone(
        extractor=extractor, out_channels=128, window_size=SIDE, strides=(4, 16, 32, 8))
    batch = images(1, 3, SIDE, SIDE)
    maps, features = backbone(batch), backbone.extractor(batch)
    assert backbone.extractor.feature_strides == [4, 8, 8, 4]
    reduced = backbone.projections[2](features[2][..., ::4, ::4])  # nearest: one cell of 4 x 4
    torch.testing.assert_close(maps[3], reduced, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(('strides', 'message'), [
    ((4, 8, 16, 32), 'each of the 8 maps that are read'),
    ((4, 8, 64, 32, 16, 8, 8, 4), r'one of \(4, 8, 16, 32\)'),
    ((4, 8, 32, 32, 8, 8, 8, 4), r'no map of stride \[16\]'),
])
def test_strides_that_do_not_fit(small_models, clip_cfg, strides, message):
    with pytest.raises(ValueError, match=message):
        build(small_models, clip_cfg, strides=strides)


def test_mmseg_builds_it_by_the_names_of_mmdet(small_models, clip_cfg):
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmseg'):
        backbone = MMSEG_MODELS.build(dict(
            type='mmdet.DiffusionBackbone',
            extractor=dict(
                type='mmdet.StableDiffusionExtractor',
                pretrained=str(small_models / 'stable_diffusion')),
            captioner=dict(
                type='mmdet.ImplicitCaptioner', clip={**clip_cfg, 'type': 'mmdet.FrozenCLIP'})))
    assert isinstance(backbone, DiffusionBackbone)
    assert backbone.captioner.text_position.shape == (1, 77, 64)


def test_a_captioner_of_another_shape_than_the_extractor_needs_is_refused(small_models, clip_cfg):
    message = r'captioner\.text_width=768, but the extractor needs 64; leave it out'
    with pytest.raises(ValueError, match=message):
        build(small_models, clip_cfg,
              captioner=dict(type='ImplicitCaptioner', clip=clip_cfg, text_width=768))


@torch.no_grad()
def test_maps_as_they_are(small_models):
    extractor = dict(
        type='StableDiffusionExtractor', pretrained=str(small_models / 'stable_diffusion'),
        encoder_blocks=(), unet_blocks=(8, 11), decoder_blocks=(2, 5))  # strides 16, 8, 8, 4
    raw = DiffusionBackbone(
        extractor, out_channels=None, window_size=SIDE, strides=(16, 8, 8, 16), with_image=True)
    assert not [*raw.parameters()] and not raw.state_dict()
    batch = images(2, 3, 128, 192)
    image, *maps = raw(batch)
    assert torch.equal(image, batch)
    inner, pyramid = raw.inner_maps(batch)
    widths = dict(zip(inner, raw.extractor.feature_widths, strict=True))
    assert [m.shape[1:] for m in maps] == [
        (widths['unet11'] + widths['decoder2'], 16, 24),
        (widths['unet8'] + widths['decoder5'], 8, 12)]
    assert all(torch.equal(*pair) for pair in zip(maps, pyramid, strict=True))
    alone = raw(batch[..., :128])[1]  # one window: each map's vectors are of length 1
    for part in alone.split([widths['unet11'], widths['decoder2']], 1):
        torch.testing.assert_close(part.norm(dim=1), torch.ones(2, 16, 16))
    expected = raw.inner_maps(batch[..., :128])[0]['decoder2']
    torch.testing.assert_close(
        alone[:, widths['unet11']:], F.normalize(expected, dim=1))
