"""What is learned on top of a map, and its figures."""

import numpy as np
import pytest
import torch

from mmodise.benchmark.probing.cells import to_grid
from mmodise.benchmark.probing.readouts import Readout, fit_clusters, fit_probe
from mmodise.benchmark.probing.scores import count_meetings, match, score

CENTRES = torch.tensor([[0., 0, 5], [40, 0, 5], [0, 0.3, 5]])  # scales differ, one is constant


def features(number=60, noise=0.01):
    """Points around three centres, and which they belong to."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(number) % 3
    spread = torch.tensor([100, 1., 0]) * torch.randn(number, 3, generator=generator)
    return CENTRES[labels] + noise * spread, labels


def outputs(readout, points):
    """The output of each point, (N,)."""
    return readout(points.T[None, :, None]).argmax(1)[0, 0]


@pytest.mark.parametrize('classes', [(4, 0, 7), (4, 7, 7)])
def test_a_probe_learns_what_is_separable(classes):
    points, labels = features()
    labels = torch.tensor(classes)[labels]
    probe = fit_probe(points, labels)
    assert probe.labels.tolist() == sorted(set(classes))
    assert torch.equal(probe.labels[outputs(probe, points)], labels)


def test_clusters_are_those_of_the_nearest_centre_of_standardized_features():
    points, _ = features(noise=0.3)
    clusters = fit_clusters(points, 4, seed=0)
    from sklearn.cluster import KMeans
    deviation = points.std(0, unbiased=False)
    deviation[2] = 1
    standard = ((points - points.mean(0)) / deviation).numpy()
    expected = KMeans(4, n_init=3, random_state=0).fit(standard).labels_
    assert outputs(clusters, points).tolist() == expected.tolist()
    assert clusters.labels.tolist() == [0, 1, 2, 3]


def test_functions_may_be_interpolated_in_place_of_features():
    generator = torch.Generator().manual_seed(0)
    readout = Readout(*(torch.randn(*shape, generator=generator) for shape in ((5, 3), (5, ))),
                      torch.arange(5))
    maps = torch.randn(2, 3, 2, 2, generator=generator)
    one, other = to_grid(readout(maps), (8, 8)), readout(to_grid(maps, (8, 8)))
    assert torch.allclose(one, other, atol=1e-5)


def test_figures_by_hand():
    outputs = torch.tensor([0, 0, 0, 1, 1, 1, 0])
    labels = torch.tensor([0, 0, 1, 1, 1, 0, 0])
    meetings = count_meetings(outputs, labels, (2, 3))
    assert meetings.tolist() == [[3, 1, 0], [1, 2, 0]]
    found = score(meetings, torch.tensor([0, 1]))  # class 2 does not occur
    assert found.miou == pytest.approx((3 / 5 + 2 / 4) / 2)
    assert found.accuracy == pytest.approx(5 / 7)


def test_an_output_without_a_class_is_wrong_and_is_said_of_none():
    meetings = torch.tensor([[3, 1], [1, 2], [4, 0]])
    found = score(meetings, torch.tensor([0, 1, -1]))
    assert found.miou == pytest.approx((3 / 9 + 2 / 4) / 2)
    assert found.accuracy == pytest.approx(5 / 11)


def test_clusters_in_another_order_are_matched():
    labels = torch.tensor([0, 1, 2, 3, 3, 1])
    permuted = torch.tensor([2, 0, 3, 1])[labels]
    meetings = count_meetings(permuted, labels, (4, 4))
    assert match(meetings).tolist() == [1, 3, 0, 2]
    assert score(meetings, match(meetings)) == (1, 1)


def test_the_assignment_is_the_best_as_a_whole_and_leaves_over_what_has_no_class():
    meetings = torch.tensor([[9, 8], [8, 1], [3, 3]])  # 8 + 8 is more than 9 + 3
    assert match(meetings).tolist() == [1, 0, -1]


def test_pairs_are_counted_as_numpy_counts_them():
    generator = np.random.default_rng(0)
    outputs, labels = generator.integers(0, 3, 50), generator.integers(0, 4, 50)
    expected = np.zeros((3, 4), int)
    np.add.at(expected, (outputs, labels), 1)
    found = count_meetings(torch.from_numpy(outputs), torch.from_numpy(labels), (3, 4))
    assert found.tolist() == expected.tolist()
