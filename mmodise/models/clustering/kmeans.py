"""K-means: scikit-learn's on a CPU, batched iterations of Lloyd elsewhere."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

_ITERATIONS = 300  # scikit-learn's own limit


def kmeans(points: Sequence[Tensor], number: int, seed: int = 0) -> list[Tensor]:
    """Cluster the points of each image; no global random numbers are drawn.

    Args:
        points (Sequence[Tensor]): (N, C) per image, on one device.
        number (int): Clusters K per image, at most N.
        seed (int): Of the start (k-means++). Defaults to 0.

    Returns:
        list[Tensor]: The cluster of each point, int64 in 0 to K - 1, (N,) per image.

    Raises:
        ValueError: If K is not between 1 and N.
        ImportError: If scikit-learn is missing on a CPU.
    """
    fewest = min(map(len, points))
    if not 1 <= number <= fewest:
        raise ValueError(
            f'number={number} clusters of {fewest} cells: give 1 to {fewest}, or cells of a '
            'smaller stride.')
    if points[0].device.type == 'cpu':
        return [_with_scikit_learn(image, number, seed) for image in points]
    padded = pad_sequence([image.float() for image in points], batch_first=True)
    sizes = torch.tensor([len(image) for image in points], device=padded.device)
    valid = torch.arange(padded.shape[1], device=padded.device) < sizes[:, None]
    labels = lloyd(padded, spread_centers(padded, valid, number, seed), valid)
    return [image[:size] for image, size in zip(labels, sizes.tolist(), strict=True)]


def _with_scikit_learn(points: Tensor, number: int, seed: int) -> Tensor:
    try:
        from sklearn.cluster import KMeans
    except ImportError as error:
        raise ImportError(
            'K-means on a CPU is scikit-learn\'s, which is not installed: '
            'pip install scikit-learn (or pip install "mmodise[clusters]").') from error
    estimator = KMeans(number, n_init=1, max_iter=_ITERATIONS, random_state=seed)
    return torch.from_numpy(estimator.fit_predict(points.float().numpy())).long()


def spread_centers(points: Tensor, valid: Tensor, number: int, seed: int = 0) -> Tensor:
    """Draw points to start from, those far from the ones before more often (k-means++).

    Args:
        points (Tensor): (B, N, C).
        valid (Tensor): Which of them are points, bool, (B, N).
        number (int): Centres K per image.
        seed (int): Defaults to 0.

    Returns:
        Tensor: (B, K, C).
    """
    generator = torch.Generator('cpu').manual_seed(seed)
    draws = torch.rand(number, len(points), 1, generator=generator, device='cpu').to(points)
    distances, centers = valid.to(points), []
    for draw in draws:
        sums = distances.cumsum(1)
        place = torch.searchsorted(sums, draw * sums[:, -1:], right=True)  # (B, 1)
        place = place.clamp(max=points.shape[1] - 1)
        centers.append(points.take_along_dim(place[..., None], 1))
        nearest = (points - centers[-1]).square().sum(-1) * valid
        distances = nearest if len(centers) == 1 else torch.minimum(distances, nearest)
    return torch.cat(centers, 1)


def lloyd(
    points: Tensor, centers: Tensor, valid: Tensor | None = None, iterations: int = _ITERATIONS
) -> Tensor:
    """Move centres to the means of the points nearest to them until no point changes its centre.

    A centre without points stays where it is.

    Args:
        points (Tensor): (B, N, C).
        centers (Tensor): Where to start, (B, K, C).
        valid (Tensor, optional): Which of them are points, bool, (B, N). Defaults to None, all.
        iterations (int): At most. Defaults to 300.

    Returns:
        Tensor: The nearest centre of each point, int64, (B, N).
    """
    places = torch.arange(centers.shape[1], device=points.device)
    labels = None
    for _ in range(iterations):
        # |p - c|^2 without |p|^2, which is the same for all centres
        distances = centers.square().sum(-1)[:, None] - 2 * points @ centers.mT  # (B, N, K)
        nearest = distances.argmin(-1)
        if labels is not None and torch.equal(nearest, labels):
            break
        labels = nearest
        members = (labels[..., None] == places).to(points)  # (B, N, K)
        if valid is not None:
            members = members * valid[..., None]
        counts = members.sum(1)[..., None]  # (B, K, 1)
        means = members.mT @ points / counts.clamp(min=1)
        centers = torch.where(counts > 0, means, centers)
    return labels
