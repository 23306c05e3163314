"""Probing of made-up maps whose worth is known, and the truth that it starts from."""

import pytest
import torch

from mmodise.benchmark.probing.pictures import Batch
from mmodise.benchmark.probing.probe import Truth, probe_maps

SIZE = 8  # cells a side


class MadeUp:
    """Pictures of stripes, in two halves; a cell's class is all that there is of it."""

    classes = ('one', 'two', 'three')
    learning, measuring = [0, 1, 2], [3, 4]

    def __init__(self, stripes):
        self.stripes = stripes  # by number, classes from top to bottom

    def batches(self, numbers):
        for number in numbers:
            rows = torch.tensor(self.stripes[number]).repeat_interleave(
                SIZE // len(self.stripes[number]))
            labels = rows[None, :, None].repeat(1, 1, SIZE)
            yield Batch([number], labels[:, None].float(), labels, [(4 * SIZE, 4 * SIZE)])


class Reader:
    """Gives a map that tells the classes, one that tells two of three, and one of noise."""

    maps = dict.fromkeys(['noise', 'two of three', 'all'])

    def __init__(self):
        self.generator = torch.Generator().manual_seed(0)

    def read(self, images):
        near = 0.01 * torch.randn(*images.shape, generator=self.generator)
        return {'noise': torch.randn(1, 4, SIZE, SIZE, generator=self.generator),
                'two of three': near + (images == 0),
                'all': near + torch.cat([images == label for label in range(3)], dim=1)}


@pytest.fixture
def told():
    return []


@pytest.fixture
def tell(told):
    return lambda what, steps: told.append((what, steps))


def test_maps_are_ranked_by_what_they_tell(tell, told):
    pictures = MadeUp([[0, 1], [1, 2], [2, 0], [0, 1], [1, 2]])
    truth = Truth(pictures, cells=40, clusters=3, seed=0, tell=tell)
    found = probe_maps(Reader(), pictures, truth, seed=0, tell=tell)
    assert found['all'].probe == found['all'].clusters == (1, 1)
    assert 0.5 < found['two of three'].probe.accuracy < 1
    assert found['noise'].probe.accuracy < 0.5 > found['noise'].clusters.accuracy
    assert found['noise'].probe.miou < found['two of three'].probe.miou < 1
    assert sum(steps for _, steps in told) == 5 + 3 + 3 + 2  # truth, reading, maps, measuring


def test_classes_that_cannot_be_learned_do_not_count(tell):
    pictures = MadeUp([[0, 1], [1, 0], [0, 0], [0, 2], [1, 2]])
    truth = Truth(pictures, 40, 3, 0, tell)
    assert truth.unlearned == ['three']
    assert probe_maps(Reader(), pictures, truth, 0, tell)['all'].probe == (1, 1)


@pytest.mark.parametrize(('stripes', 'cells', 'clusters', 'message'), [
    ([[0]] * 5, 40, 3, 'have cells of 1 classes, and a probe tells two apart'),
    ([[0, 1]] * 3 + [[2]] * 2, 40, 3, 'No class of the pictures to measure with'),
    ([[0, 1]] * 5, 4, 13, '13 clusters of 12 cells')])
def test_what_nothing_can_be_learned_from(stripes, cells, clusters, message, tell):
    with pytest.raises(ValueError, match=message):
        Truth(MadeUp(stripes), cells, clusters, 0, tell)


def test_void_is_neither_learned_nor_measured(tell):
    pictures = MadeUp([[0, 1, -1, -1], [1, 0, -1, -1], [-1], [0, -1, -1, 1], [1, 0, 0, -1]])
    truth = Truth(pictures, 40, 3, 0, tell)
    assert truth.unlearned == [] and truth.counts.tolist() == [True, True, False]
    assert truth.labels.bincount().tolist() == [32, 32]
    reader = Reader()
    reader.read = lambda images: {'all': images.repeat(1, 2, 1, 1)}
    reader.maps = dict.fromkeys(['all'])
    found = probe_maps(reader, pictures, truth, 0, tell)['all']
    assert found.probe == (1, 1)
