"""Clusters: K-means, normalized cut, connected parts and their refinement."""

import sys

import numpy as np
import pytest
import torch

from mmodise.models.clustering import (
    best_split,
    connected_parts,
    cosine_affinity,
    join_parts,
    kmeans,
    lloyd,
    prefix_costs,
    recursive_cut,
    refine_by_colors,
    spread_centers,
)


def blobs(*sizes, spread=0.3, channels=5):
    """Points around centres far apart, and the centre of each, in an order drawn."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.cat([torch.full((size, ), i) for i, size in enumerate(sizes)])
    truth = truth[torch.randperm(len(truth), generator=generator)]
    centers = 10 * torch.eye(len(sizes), channels)
    return centers[truth] + spread * torch.randn(len(truth), channels, generator=generator), truth


def same_partition(one, other):
    pairs = torch.stack([one, other], 1).unique(dim=0)
    return len(pairs) == len(one.unique()) == len(other.unique())


def test_kmeans_finds_what_lies_apart_and_draws_no_global_numbers():
    (points, truth), (others, _) = blobs(20, 5, 11), blobs(7, 8, 9)
    torch.manual_seed(3), np.random.seed(3)
    labels, _ = kmeans([points, others], 3, seed=1)
    assert same_partition(labels, truth)
    drawn = torch.rand(1), np.random.rand()
    torch.manual_seed(3), np.random.seed(3)
    assert drawn == (torch.rand(1), np.random.rand())
    again, _ = kmeans([points, others], 3, seed=1)
    assert torch.equal(labels, again)


def test_lloyd_is_scikit_learns():
    from sklearn.cluster import KMeans
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(2, 60, 4, generator=generator)
    starts = points[:, :6]
    valid = torch.ones(2, 60, dtype=torch.bool)
    valid[1, 50:] = False
    labels = lloyd(points, starts, valid)
    for image, start, ours, number in zip(points, starts, labels, (60, 50), strict=True):
        theirs = KMeans(6, init=start.numpy(), n_init=1, tol=0).fit_predict(image[:number].numpy())
        assert ours[:number].tolist() == theirs.tolist()


def test_centers_are_spread_over_points_of_each_image():
    (points, _), (few, _) = blobs(30, 30, 30), blobs(10, 10, 10)
    padded = torch.stack([points, torch.cat([few, torch.full((60, 5), 99.)])])
    valid = torch.ones(2, 90, dtype=torch.bool)
    valid[1, 30:] = False
    centers = spread_centers(padded, valid, 3, seed=0)
    assert torch.equal(centers, spread_centers(padded, valid, 3, seed=0))
    assert not torch.equal(centers, spread_centers(padded, valid, 3, seed=1))
    for image in range(2):
        is_point = (centers[image][:, None] == padded[image]).all(-1) & valid[image]
        assert is_point.any(1).all()
        # from each of the groups: the others are 10 away, one's own points 1
        assert torch.cdist(centers[image], centers[image]).topk(2, largest=False)[0][:, 1].min() > 5


def test_a_center_without_points_stays():
    points = torch.tensor([[[0.], [1.], [9.], [10.]]])
    labels = lloyd(points, torch.tensor([[[0.], [10.], [1000.]]]))
    assert labels.tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize('number', [0, 4])
def test_more_clusters_than_points(number):
    with pytest.raises(ValueError, match=rf'number={number} clusters of 3 cells: give 1 to 3'):
        kmeans([torch.rand(5, 2), torch.rand(3, 2)], number)


def test_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn.cluster', None)
    with pytest.raises(ImportError, match='pip install scikit-learn'):
        kmeans([torch.rand(5, 2)], 2)


def test_affinity_by_hand():
    features = torch.tensor([[3., 0.], [1., 1.], [-1., 0.]])
    half = 0.5**0.5
    expected = torch.tensor([[1, half**4, 0], [half**4, 1, 0], [0, 0, 1]])
    torch.testing.assert_close(cosine_affinity(features, power=4), expected)


def test_cells_without_features_are_one_cluster():
    features = torch.tensor([[0., 0.], [1., 0.], [0., 0.], [1., 0.], [0., 0.]])
    assert recursive_cut(cosine_affinity(features)).tolist() == [0, 1, 0, 1, 0]
    assert recursive_cut(cosine_affinity(torch.zeros(6, 2))).tolist() == [0] * 6


def test_costs_by_hand():
    affinity = torch.tensor([[1., .5, 0.], [.5, 1., .25], [0., .25, 1.]])
    # degrees 1.5, 1.75, 1.25; between the first and the rest 0.5, the last and the rest 0.25
    expected = torch.tensor([.5 / 1.5 + .5 / 3, .25 / 3.25 + .25 / 1.25], dtype=torch.float64)
    torch.testing.assert_close(prefix_costs(affinity), expected)
    inside, cost = best_split(affinity)
    assert inside.tolist() in ([True, True, False], [False, False, True])
    assert cost == pytest.approx(float(expected[1]))


def block_affinity(truth, between):
    return torch.where(truth[:, None] == truth, 1.0, between)


@pytest.mark.parametrize(('between', 'number'), [(0.0, 3), (0.02, 3), (0.3, 1)])
def test_blocks_of_an_affinity_are_found(between, number):
    truth = torch.tensor([0, 1, 1, 2, 0, 2, 2, 1, 0, 2, 2, 0])
    labels = recursive_cut(block_affinity(truth, between), tau=0.5)
    expected = truth if number == 3 else torch.zeros_like(truth)
    assert labels.tolist() == expected.tolist()  # numbered by their first cells


def test_tau_says_how_far_cells_are_split():
    # two pairs of groups: pairs hang together by 0.2, the groups of a pair by 0.5
    truth = torch.arange(4).repeat_interleave(5)
    affinity = block_affinity(truth, 0.5)
    affinity[:10, 10:] = affinity[10:, :10] = 0.2
    # Ncut of the pairs: 0.4 / 1.9 twice; of the groups of one: 0.5 / 1.5 twice; then 5 equal cells
    for tau, number in ((0.4, 1), (0.43, 2), (0.66, 2), (0.67, 4), (0.99, 4)):
        assert len(recursive_cut(affinity, tau).unique()) == number


def test_a_single_cell_is_a_cluster():
    assert recursive_cut(torch.ones(1, 1)).tolist() == [0]


PARTS = np.array([[0, 0, 1, 1],
                  [0, 2, 2, 1],
                  [3, 2, 2, 1]])


def test_connected_parts():
    clusters = np.array([[5, 5, 0, -1],
                         [0, 0, 5, 0],
                         [5, 5, 5, 0]])
    parts = connected_parts(clusters)
    assert parts.tolist() == [[3, 3, 0, -1], [1, 1, 4, 2], [4, 4, 4, 2]]


def features_of(parts, vectors):
    return np.array(vectors, dtype=np.float32)[parts]


def test_small_parts_go_to_the_neighbour_most_alike():
    features = features_of(PARTS, [[1, 0], [0, 1], [1, 1], [1, 4]])
    assert join_parts(PARTS, features, min_cells=1).tolist() == PARTS.tolist()
    # part 3 touches 0 and 2, and would be more like 1
    expected = np.where(PARTS == 3, 2, PARTS)
    assert join_parts(PARTS, features, min_cells=2).tolist() == expected.tolist()
    # then 0 of three cells: of 1 and the new 2, the latter is more alike
    assert join_parts(PARTS, features, min_cells=4).tolist() == np.where(
        PARTS == 1, 0, 1).tolist()


def test_parts_that_are_alike_are_joined():
    features = features_of(PARTS, [[1, 0], [1, 1], [4, 1], [0, 1]])
    joined = join_parts(PARTS, features, min_cosine=0.9)  # 0 and 2
    assert joined.tolist() == np.array([0, 1, 0, 2])[PARTS].tolist()
    assert join_parts(PARTS, features, min_cosine=-1).max() == 0


def test_cells_of_no_part_stay_so():
    parts = np.array([[0, -1, 1]])
    assert join_parts(parts, np.ones((1, 3, 2)), min_cells=5, min_cosine=0).tolist() == [
        [0, -1, 1]]


def test_masks_follow_colours():
    image = torch.zeros(3, 12, 12)
    image[:, :, 7:] = 1
    masks = torch.zeros(2, 12, 12)
    masks[0, :, :6], masks[1, :, 6:] = 1, 1  # a column off
    refined = refine_by_colors(masks, image)
    torch.testing.assert_close(refined.sum(0), torch.ones(12, 12))
    assert (refined.argmax(0) == (torch.arange(12) >= 7)).all()
    one_step = refine_by_colors(masks, torch.zeros(3, 12, 12), iterations=1, dilations=(1, ))
    assert one_step[1, 5, 5] == pytest.approx(3 / 8)  # equal weights of the eight around
