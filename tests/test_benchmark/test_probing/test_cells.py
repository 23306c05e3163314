"""The grid of cells: its truth, the cells that are learned from, and what maps have there."""

import numpy as np
import torch
import torch.nn.functional as F

from mmodise.benchmark.probing.cells import (
    VOID,
    at_cells,
    cell_labels,
    pooled,
    sample_cells,
    to_grid,
)


def test_a_cell_has_the_class_of_most_of_its_pixels():
    labels = torch.zeros(6, 8, dtype=torch.uint8)
    labels[:4, :4] = 2
    labels[0, :4] = 1  # 4 pixels against 12 of class 2
    labels[:4, 4:6] = 1  # 8 against 8 of class 0: the lower
    labels[4:, :4] = 255  # void, and so is what is padded
    labels[4:, 4:] = 1  # 8 pixels, and 8 of padding: as many as void
    assert cell_labels(labels, (8, 12), num_classes=3).tolist() == [[2, 0, VOID], [VOID, 1, VOID]]


def test_what_is_no_class_is_void():
    labels = torch.full((4, 4), 3)
    labels[0] = 0
    assert cell_labels(labels, (4, 4), num_classes=3).tolist() == [[VOID]]
    assert cell_labels(labels, (4, 4), num_classes=4).tolist() == [[3]]


def test_cells_are_drawn_evenly_over_classes_or_anywhere():
    labels = torch.ones(8, 8, dtype=torch.int64)
    labels[0, 0], labels[1] = 0, VOID
    sample = sample_cells(labels, 10, np.random.default_rng(0))
    found = labels.flatten()[sample.even]
    assert [(found == label).sum().item() for label in (0, 1, VOID)] == [1, 5, 0]
    assert len(sample.anywhere.unique()) == 10
    assert (labels.flatten()[sample.anywhere] != VOID).all()
    again = sample_cells(labels, 10, np.random.default_rng(0))
    assert all(torch.equal(*pair) for pair in zip(sample, again, strict=True))


def test_a_picture_without_a_class_gives_no_cells():
    sample = sample_cells(torch.full((2, 2), VOID), 10, np.random.default_rng(0))
    assert [len(cells) for cells in sample] == [0, 0]


def test_maps_at_cells_are_those_of_the_whole_grid():
    feature = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))
    cells = torch.tensor([0, 5, 17, 31])
    whole = F.interpolate(feature[None], (8, 4), mode='bilinear', align_corners=False)[0]
    assert torch.allclose(at_cells(feature, cells, (8, 4)), whole.flatten(1)[:, cells].T, atol=1e-6)
    assert torch.equal(to_grid(feature[None], (8, 4))[0], whole)


def test_finer_maps_are_averaged_over_cells():
    maps = torch.arange(16.).view(1, 1, 4, 4)
    assert pooled(maps, 1).tolist() == [[[[7.5]]]]
    assert pooled(maps, 2).tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]
    assert pooled(maps, 4) is maps and pooled(maps, 32) is maps
