"""Cutting into windows and stitching, against a plain loop."""

import pytest
import torch

from mmodise.models.diffusion.windows import cut_windows, stitch_windows, window_origins


@pytest.mark.parametrize(
    ('length', 'side', 'origins'),
    [(512, 512, [0]), (1024, 512, [0, 512]), (1088, 512, [0, 512, 576]), (192, 128, [0, 64]),
     (130, 128, [0, 2])],
)
def test_last_window_ends_at_the_border(length, side, origins):
    assert window_origins(length, side) == origins


def test_windows_come_row_by_row_and_image_by_image():
    images = torch.arange(2 * 192 * 256).float().view(2, 1, 192, 256)
    windows, origins = cut_windows(images, 128)
    assert origins == [(0, 0), (0, 128), (64, 0), (64, 128)]
    for i, (image, (y, x)) in enumerate((image, o) for image in images for o in origins):
        torch.testing.assert_close(windows[i], image[:, y : y + 128, x : x + 128])


def test_stitching_averages_overlaps():
    torch.manual_seed(0)
    size, side, stride = (192, 256), 128, 8
    _, origins = cut_windows(torch.zeros(2, 1, *size), side)
    maps = torch.randn(2 * len(origins), 3, side // stride, side // stride)

    expected = torch.zeros(2, 3, 24, 32)
    for b in range(2):
        for y in range(24):
            for x in range(32):
                seen = [
                    maps[b * len(origins) + i, :, y - oy // 8, x - ox // 8]
                    for i, (oy, ox) in enumerate(origins)
                    if 0 <= y - oy // 8 < 16 and 0 <= x - ox // 8 < 16
                ]
                expected[b, :, y, x] = torch.stack(seen).mean(0)
    torch.testing.assert_close(stitch_windows(maps, origins, stride, size), expected)


def test_cut_then_stitch_is_the_identity():
    torch.manual_seed(0)
    images = torch.randn(2, 3, 160, 224)
    windows, origins = cut_windows(images, 128)
    torch.testing.assert_close(stitch_windows(windows, origins, 1, (160, 224)), images)
