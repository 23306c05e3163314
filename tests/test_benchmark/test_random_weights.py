"""Generators of full size without files: random numbers, here without numbers at all."""

import pytest
import torch

from mmodise.benchmark.random_weights import random_weights
from mmodise.models import StableDiffusionExtractor, StableDiffusionXLExtractor


@pytest.mark.parametrize(('extractor', 'image_size', 'parameters'), [
    (StableDiffusionExtractor, 512, 859_520_964),
    (StableDiffusionXLExtractor, 1024, 2_567_463_684)])
def test_generators_that_are_not_local(extractor, image_size, parameters):
    with random_weights() as built, torch.device('meta'):
        whole = extractor('nobody/nothing', attentions='all')
    assert built == ['nobody/nothing'] and whole.image_size == image_size
    kept = sum(p.numel() for p in whole.frozen.unet.parameters())
    assert 0.9 * parameters < kept < parameters  # what comes after the last map is gone


def test_what_is_local_is_read(small_xl):
    with random_weights() as built:
        extractor = StableDiffusionXLExtractor(str(small_xl / 'stable_diffusion_xl'))
    assert built == [] and extractor.image_size == 128
