"""Nothing of a call lives on a module: calls from several threads do not meet."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from mmodise.models import (
    DiffusionBackbone,
    DiffusionTransformerExtractor,
    StableDiffusionExtractor,
    StableDiffusionXLExtractor,
    TokenDiffusionExtractor,
)


@pytest.fixture(autouse=True)
def one_thread_per_call():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def batches(side):
    """Of other sizes and numbers, as requests to a server are."""
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(1 + i % 3, 3, side, side, generator=generator) for i in range(12)]


@torch.no_grad()
def check(module, inputs):
    expected = [module(images) for images in inputs]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(torch.no_grad()(module), inputs))
    for ours, alone in zip(found, expected, strict=True):
        assert len(ours) == len(alone)
        for a, b in zip(ours, alone, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_the_extractor(small_models):
    extractor = StableDiffusionExtractor(
        str(small_models / 'stable_diffusion'), timesteps=(0, 100), vae_pixels=64 * 64)
    check(extractor, batches(64))


def test_the_extractor_of_xl_with_attention(small_xl):
    extractor = StableDiffusionXLExtractor(
        str(small_xl / 'stable_diffusion_xl'), attentions=('features3', 'cross5'),
        unet_blocks=(5, ), decoder_blocks=())
    check(extractor, batches(64))


def test_the_extractors_of_transformers(small_sd3, small_amused):
    check(DiffusionTransformerExtractor(
        str(small_sd3), transformer_blocks=(1, 3), timesteps=(0, 300), t5_length=8), batches(64))
    check(TokenDiffusionExtractor(
        str(small_amused), transformer_layers=(1, 3), mask_shares=(0.0, 0.5)), batches(64))


def test_the_backbone(small_models, clip_cfg):
    backbone = DiffusionBackbone(
        extractor=dict(
            type='StableDiffusionExtractor', pretrained=str(small_models / 'stable_diffusion')),
        captioner=dict(type='ImplicitCaptioner', clip=clip_cfg), out_channels=128,
        window_size=64, max_windows=2)
    check(backbone, batches(64))
