"""Costs of generators, found on the meta device."""

import pytest
import torch
from mmdet.registry import MODELS
from torch import nn

from mmodise.benchmark.flops import flop_counter
from mmodise.benchmark.generator_costs import measure_generator
from mmodise.models import FeatureExtractor, FeatureMap, FrozenNetworks

SMALL = dict(type='StableDiffusionExtractor', pretrained='mmodise://shapes/stable_diffusion')


class TwoConvolutions(FeatureExtractor):
    """8 channels, then 4, of pictures of 16 pixels."""

    def __init__(self):
        networks = FrozenNetworks(
            first=nn.Conv2d(3, 8, 1, bias=False), second=nn.Conv2d(8, 4, 1, bias=False))
        super().__init__(networks, [FeatureMap('second', 4, 1)], image_size=16)

    def forward(self, images):
        return [self.frozen.second(self.frozen.first(images))]


@pytest.fixture
def two_convolutions():
    MODELS.register_module(module=TwoConvolutions, force=True)
    yield dict(type='TwoConvolutions')
    MODELS.module_dict.pop('TwoConvolutions')


def test_costs_by_hand(two_convolutions):
    cost = measure_generator(two_convolutions)
    weights, cells = 3 * 8 + 8 * 4, 16 * 16
    assert (cost.image_size, cost.parameters, cost.weights) == (16, weights, 4 * weights)
    assert cost.forward_flops == cost.training_flops == 2 * weights * cells
    assert cost.forward_bytes == 4 * cells * (8 + 4)  # both maps, while the second is made


def test_as_many_operations_as_a_real_pass():
    extractor = MODELS.build(SMALL)
    image = torch.rand(1, 3, 128, 128)
    text, time = (torch.zeros(1, n, extractor.condition[f'{kind}_width'], requires_grad=True)
                  for kind, n in (('text', 77), ('time', 1)))
    with flop_counter() as forward, torch.no_grad():
        extractor(image)
    with flop_counter() as training:
        sum(maps.sum() for maps in extractor(image, text, time)).backward()
    cost = measure_generator(SMALL)
    assert cost.forward_flops == forward.get_total_flops()
    assert cost.training_flops == training.get_total_flops()
    assert cost.training_bytes > cost.forward_bytes > 0
    assert cost.parameters == sum(
        weight.numel() for network in extractor.frozen_modules() for weight in network.parameters())
