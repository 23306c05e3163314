"""Recursive normalized cut (Shi and Malik, PAMI 2000) of an affinity, as in DiffCut."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cosine_affinity(features: Tensor, power: float = 10.0) -> Tensor:
    """Affinity of cells: max(cosine, 0) to a power (DiffCut, NeurIPS 2024, arXiv 2406.02842).

    Cells whose features are all 0 are alike among themselves.

    Args:
        features (Tensor): (N, C).
        power (float): Alpha; the larger, the less do cells of some likeness count. Defaults to 10
            (DiffCut).

    Returns:
        Tensor: (N, N), in 0 to 1.
    """
    features = F.normalize(features.float(), dim=-1)
    is_zero = (features == 0).all(-1, keepdim=True).to(features)
    features = torch.cat([features, is_zero], -1)
    return (features @ features.T).clamp(min=0, max=1) ** power


def recursive_cut(affinity: Tensor, tau: float = 0.5) -> Tensor:
    """Split cells in two again and again, while the normalized cut costs no more than ``tau``.

    Args:
        affinity (Tensor): (N, N), symmetric, not negative, its diagonal positive.
        tau (float): 0 to 2: the larger, the more clusters. Defaults to 0.5 (DiffCut).

    Returns:
        Tensor: The cluster of each cell, int64 from 0 on, in the order of their first cells, (N,).
    """
    cells = torch.arange(len(affinity), device=affinity.device)
    waiting, clusters = [cells], []
    while waiting:
        part = waiting.pop()
        inside, cost = best_split(affinity[part][:, part])
        if cost <= tau:
            waiting += [part[inside], part[~inside]]
        else:
            clusters.append(part)
    labels = torch.empty_like(cells)
    for label, part in enumerate(sorted(clusters, key=lambda part: int(part[0]))):
        labels[part] = label
    return labels


def best_split(affinity: Tensor) -> tuple[Tensor, float]:
    """The split in two with the smallest normalized cut among those that a threshold makes.

    The threshold is on the eigenvector of the second smallest eigenvalue of the normalised
    Laplacian; all thresholds are tried.

    Args:
        affinity (Tensor): As in :func:`recursive_cut`.

    Returns:
        tuple[Tensor, float]: Which cells are on one side, bool, (N,), and the cost, 0 to 2;
        infinite of a single cell.
    """
    if len(affinity) < 2:
        return torch.ones(len(affinity), dtype=torch.bool, device=affinity.device), float('inf')
    degrees = affinity.sum(1)
    scale = degrees.rsqrt()
    laplacian = torch.eye(len(affinity)).to(affinity) - scale[:, None] * affinity * scale
    order = (torch.linalg.eigh(laplacian).eigenvectors[:, 1] * scale).argsort()
    costs = prefix_costs(affinity[order][:, order])
    place = int(costs.argmin())
    inside = torch.zeros(len(affinity), dtype=torch.bool, device=affinity.device)
    inside[order[:place + 1]] = True
    return inside, float(costs[place])


def prefix_costs(affinity: Tensor) -> Tensor:
    """The normalized cut between the first 1, 2, ... N - 1 cells and the rest, (N - 1,).

    Ncut(A, B) = cut(A, B) / assoc(A, V) + cut(A, B) / assoc(B, V), where cut sums the affinities
    between both sides, and assoc those of a side to all cells.

    Args:
        affinity (Tensor): (N, N), symmetric.
    """
    affinity = affinity.double() if affinity.device.type != 'mps' else affinity
    # a cell adds its affinities to those before it, twice, and to itself
    within = (2 * affinity.tril().sum(1) - affinity.diagonal()).cumsum(0)[:-1]
    degrees = affinity.sum(1).cumsum(0)
    side, total = degrees[:-1], degrees[-1]
    cut = side - within
    return cut / side + cut / (total - side)
