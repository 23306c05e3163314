"""The picture in place of features."""

import torch

from mmodise.models import PixelBackbone


def test_means_of_pixels():
    images = torch.rand(2, 3, 64, 128, generator=torch.Generator().manual_seed(0))
    picture, coarse = PixelBackbone(strides=(1, 32))(images)
    assert picture is images
    assert coarse.shape == (2, 3, 2, 4)
    torch.testing.assert_close(coarse[1, 2, 1, 3], images[1, 2, 32:, 96:].mean())
