"""Cutting into windows and stitching, against a plain loop."""

import pytest
import torch

from mmodise.models.backbones.windows import Stitcher, cut_windows, window_origins


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


def stitch(maps, origins, stride, size, at_once):
    stitcher = Stitcher(len(maps) // len(origins), origins, stride, size)
    for part in maps.split(at_once):
        stitcher.add(part)
    return stitcher.finish()


def stitched_cell_by_cell(maps, origins, stride, size):
    """The mean of all windows that cover a cell."""
    n, side = len(origins), maps.shape[-1]
    rows = []
    for b in range(len(maps) // n):
        for y in range(size[0] // stride):
            for x in range(size[1] // stride):
                seen = [
                    maps[b * n + i, :, y - oy // stride, x - ox // stride]
                    for i, (oy, ox) in enumerate(origins)
                    if 0 <= y - oy // stride < side and 0 <= x - ox // stride < side
                ]
                rows.append(torch.stack(seen).mean(0))
    cells = torch.stack(rows).view(-1, size[0] // stride, size[1] // stride, maps.shape[1])
    return cells.permute(0, 3, 1, 2)


@pytest.mark.parametrize('at_once', [1, 3, 8])
@pytest.mark.parametrize('size', [(192, 256), (256, 256), (128, 128)])
def test_stitching_averages_overlaps(size, at_once):
    torch.manual_seed(0)
    side, stride = 128, 16
    _, origins = cut_windows(torch.zeros(2, 1, *size), side)
    maps = torch.randn(2 * len(origins), 3, side // stride, side // stride)
    torch.testing.assert_close(
        stitch(maps, origins, stride, size, at_once),
        stitched_cell_by_cell(maps, origins, stride, size))


@pytest.mark.parametrize('at_once', [1, 3, 8])
def test_gradients_of_stitching(at_once):
    size, side, stride = (192, 256), 128, 16
    _, origins = cut_windows(torch.zeros(2, 1, *size), side)
    torch.manual_seed(0)
    maps, weights = torch.randn(8, 3, 8, 8), torch.randn(2, 3, 12, 16)
    gradients = []
    for stitched in (lambda m: stitch(m, origins, stride, size, at_once),
                     lambda m: stitched_cell_by_cell(m, origins, stride, size)):
        leaf = maps.clone().requires_grad_()
        (stitched(leaf) * weights).sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


def test_cut_then_stitch_is_the_identity():
    torch.manual_seed(0)
    images = torch.randn(2, 3, 160, 224)
    windows, origins = cut_windows(images, 128)
    torch.testing.assert_close(stitch(windows, origins, 1, (160, 224), 3), images)
