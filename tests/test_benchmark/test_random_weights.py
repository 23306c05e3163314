"""Generators of full size without files: random numbers, here without numbers at all."""

import pytest
import torch

from mmodise.benchmark.random_weights import random_weights
from mmodise.models import (
    DiffusionTransformerExtractor,
    StableDiffusionExtractor,
    StableDiffusionXLExtractor,
    TokenDiffusionExtractor,
)


@pytest.mark.parametrize(('extractor', 'image_size', 'parameters'), [
    (StableDiffusionExtractor, 512, 859_520_964),
    (StableDiffusionXLExtractor, 1024, 2_567_463_684)])
def test_generators_that_are_not_local(extractor, image_size, parameters):
    with random_weights() as built, torch.device('meta'):
        whole = extractor('nobody/nothing', attentions='all')
    assert built == ['nobody/nothing'] and whole.image_size == image_size
    kept = sum(p.numel() for p in whole.frozen.unet.parameters())
    assert 0.9 * parameters < kept < parameters  # what comes after the last map is gone


@pytest.mark.parametrize(('extractor', 'image_size', 'parameters', 'shapes'), [
    (DiffusionTransformerExtractor, 1024, 2_028_328_000,
     [(512, 256), (512, 128), *[(1536, 64)] * 3, (512, 128), (512, 256)]),
    (TokenDiffusionExtractor, 512, 608_257_792, [(256, 128), (512, 64), *[(1024, 16)] * 3])])
def test_transformers_that_are_not_local(extractor, image_size, parameters, shapes):
    with random_weights() as built, torch.device('meta'):
        whole = extractor('nobody/nothing')
        maps = whole(torch.empty(1, 3, image_size, image_size))
    assert built == ['nobody/nothing'] and whole.image_size == image_size
    kept = sum(p.numel() for p in whole.frozen.transformer.parameters())
    assert 0.7 * parameters < kept < 0.85 * parameters  # 18 of 24 blocks, 17 of 22
    assert [tuple(m.shape[1:3]) for m in maps] == shapes


def test_what_is_local_is_read(small_xl, small_sd3, small_amused):
    with random_weights() as built:
        for extractor in (
                StableDiffusionXLExtractor(str(small_xl / 'stable_diffusion_xl')),
                DiffusionTransformerExtractor(str(small_sd3), transformer_blocks=(1, )),
                TokenDiffusionExtractor(str(small_amused), transformer_layers=(1, ))):
            assert extractor.image_size == 128
    assert built == []
