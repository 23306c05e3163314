"""Connected parts of clusters, and which of them are joined."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def connected_parts(labels: np.ndarray) -> np.ndarray:
    """Number the connected parts of clusters; cells that touch at a corner only are not connected.

    Args:
        labels (ndarray): The cluster of each cell, (h, w); negative is none.

    Returns:
        ndarray: The part of each cell, int64 from 0 on, (h, w); -1 is none.
    """
    parts, number = np.full(labels.shape, -1, np.int64), 0
    for label in np.unique(labels[labels >= 0]):
        numbered, found = ndimage.label(labels == label)
        parts = np.where(numbered > 0, numbered + number - 1, parts)
        number += found
    return parts


def join_parts(
    parts: np.ndarray, features: np.ndarray, min_cells: float = 0.0, min_cosine: float | None = None
) -> np.ndarray:
    """Join neighbouring parts: first those that are alike, then small ones with the most alike.

    Likeness is the cosine of the mean features of two parts. The two that are most alike are
    joined, and then those that are most alike after that.

    Args:
        parts (ndarray): Of :func:`connected_parts`, (h, w).
        features (ndarray): (h, w, C).
        min_cells (float): Parts of fewer cells are joined with a neighbour. Defaults to 0.
        min_cosine (float, optional): Neighbours that are at least as alike are joined. Defaults to
            None, none are.

    Returns:
        ndarray: As ``parts``, numbered without gaps.
    """
    graph = _PartGraph(parts, features)
    if min_cosine is not None:
        while (pair := graph.most_alike()) is not None and graph.cosine(*pair) >= min_cosine:
            graph.join(*pair)
    while (small := graph.smallest()) is not None and graph.areas[small] < min_cells:
        graph.join(max(graph.neighbours[small], key=lambda other: graph.cosine(small, other)),
                   small)
    return graph.paint(parts)


class _PartGraph:
    """Parts, their neighbours, and sums of their features."""

    def __init__(self, parts: np.ndarray, features: np.ndarray) -> None:
        inside, number = parts >= 0, parts.max() + 1
        cells = parts[inside]
        self.areas = np.bincount(cells, minlength=number).tolist()
        self.sums = np.zeros((number, features.shape[-1]))
        np.add.at(self.sums, cells, features[inside])
        self.neighbours = {part: set() for part in range(number)}
        for one, other in ((parts[1:], parts[:-1]), (parts[:, 1:], parts[:, :-1])):
            border = (one != other) & (one >= 0) & (other >= 0)
            for a, b in np.unique(np.stack([one[border], other[border]], -1), axis=0).tolist():
                self.neighbours[a].add(b)
                self.neighbours[b].add(a)
        self.owners = np.arange(number)

    def cosine(self, one: int, other: int) -> float:
        """How alike two parts are."""
        a, b = self.sums[one], self.sums[other]
        return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))

    def most_alike(self) -> tuple[int, int] | None:
        """The two neighbours that are most alike; None if no part has a neighbour."""
        pairs = [(a, b) for a, others in self.neighbours.items() for b in others if a < b]
        return max(pairs, key=lambda pair: self.cosine(*pair), default=None)

    def smallest(self) -> int | None:
        """The smallest part that has a neighbour."""
        parts = [part for part, others in self.neighbours.items() if others]
        return min(parts, key=self.areas.__getitem__, default=None)

    def join(self, kept: int, gone: int) -> None:
        """Make one part of two neighbours."""
        self.areas[kept] += self.areas[gone]
        self.sums[kept] += self.sums[gone]
        self.owners[self.owners == gone] = kept
        for other in self.neighbours.pop(gone):
            self.neighbours[other].discard(gone)
            if other != kept:
                self.neighbours[other].add(kept)
                self.neighbours[kept].add(other)

    def paint(self, parts: np.ndarray) -> np.ndarray:
        """The map of the parts that are left."""
        _, numbers = np.unique(self.owners, return_inverse=True)
        return np.where(parts >= 0, np.append(numbers, -1)[parts], -1)
