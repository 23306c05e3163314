"""Linear probing and clustering of the maps of one level of noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .cells import VOID, CellSample, at_cells, sample_cells, to_grid
from .maps import MapReader
from .pictures import Pictures
from .readouts import Readout, fit_clusters, fit_probe
from .scores import Score, count_meetings, match, score


class Fit(NamedTuple):
    """The two readouts of a map."""

    probe: Readout
    clusters: Readout


class Figures(NamedTuple):
    """The scores of the two readouts of a map."""

    probe: Score
    clusters: Score


class Truth:
    """The cells to learn from, drawn once: all maps are compared on the same ones.

    Args:
        pictures (Pictures): Of the probe.
        cells (int): Of each of the two samples of a picture, at most.
        clusters (int): K of the k-means.
        seed (int): Of the random numbers.
        tell (Callable): Called with what is done, and with how many pictures.

    Attributes:
        clusters (int): K.
        samples (dict[int, CellSample]): By number of a picture to learn from.
        labels (Tensor): Classes of the even samples, picture by picture.
        counts (Tensor): Whether each class is among these, (classes,).
        unlearned (list[str]): Classes of pictures to measure with of which there are no cells to
            learn from; they do not count.

    Raises:
        ValueError: If there are fewer than two classes to learn, none of them to measure, or fewer
            cells than clusters.
    """

    def __init__(
        self, pictures: Pictures, cells: int, clusters: int, seed: int,
        tell: Callable[[str, int], None],
    ) -> None:
        self.clusters = clusters
        self.samples: dict[int, CellSample] = {}
        labels = [torch.zeros(0, dtype=torch.int64)]
        for batch in pictures.batches(pictures.learning):
            for number, of_cells in zip(batch.numbers, batch.labels, strict=True):
                sample = sample_cells(of_cells, cells, np.random.default_rng((seed, number)))
                self.samples[number] = sample
                labels.append(of_cells.flatten()[sample.even])
            tell('reading the truth', len(batch.numbers))
        self.labels = torch.cat(labels)
        self.counts = torch.bincount(self.labels, minlength=len(pictures.classes)) > 0
        if self.counts.sum() < 2:
            raise ValueError(
                f'The {len(pictures.learning)} pictures to learn from have cells of '
                f'{int(self.counts.sum())} classes, and a probe tells two apart at least: give '
                'more --num-images, or check the annotations')
        found = sum(len(sample.anywhere) for sample in self.samples.values())
        if found < clusters:
            raise ValueError(
                f'{clusters} clusters of {found} cells: give fewer --clusters, or more --cells or '
                '--num-images')
        self.unlearned = self._unlearned(pictures, tell)

    def _unlearned(self, pictures: Pictures, tell: Callable[[str, int], None]) -> list[str]:
        seen = torch.zeros(len(pictures.classes), dtype=torch.bool)
        for batch in pictures.batches(pictures.measuring):
            seen[batch.labels[batch.labels != VOID]] = True
            tell('reading the truth', len(batch.numbers))
        if not (seen & self.counts).any():
            raise ValueError(
                'No class of the pictures to measure with is in those to learn from: give more '
                '--num-images')
        return [pictures.classes[i] for i in (seen & ~self.counts).nonzero().flatten()]


def probe_maps(
    reader: MapReader, pictures: Pictures, truth: Truth, seed: int,
    tell: Callable[[str, int], None],
) -> dict[str, Figures]:
    """Learn from one half of the pictures what each map knows, and measure it with the other.

    Args:
        reader (MapReader): Of the maps.
        pictures (Pictures): Of the probe.
        truth (Truth): Of these.
        seed (int): Of the random numbers.
        tell (Callable): Called with what is done, and how many pictures or maps are.
    """
    features = _collect(reader, pictures, truth, tell)
    fits = {}
    for name in list(features):
        even, anywhere = features.pop(name)
        fits[name] = Fit(
            fit_probe(even, truth.labels), fit_clusters(anywhere, truth.clusters, seed))
        tell(f'learning from {name}', 1)
    return _measure(reader, pictures, truth, fits, tell)


def _collect(
    reader: MapReader, pictures: Pictures, truth: Truth, tell: Callable[[str, int], None]
) -> dict[str, tuple[Tensor, Tensor]]:
    """By map, the features of the even samples and of the others, each (N, C)."""
    found = {name: ([], []) for name in reader.maps}
    for batch in pictures.batches(pictures.learning):
        grid = tuple(batch.labels.shape[-2:])
        for name, maps in reader.read(batch.images).items():
            for number, feature in zip(batch.numbers, maps.float(), strict=True):
                for cells, kept in zip(truth.samples[number], found[name], strict=True):
                    kept.append(at_cells(feature, cells.to(feature.device), grid).cpu())
        tell('reading maps', len(batch.numbers))
    return {name: tuple(map(torch.cat, kept)) for name, kept in found.items()}


def _measure(
    reader: MapReader, pictures: Pictures, truth: Truth, fits: dict[str, Fit],
    tell: Callable[[str, int], None],
) -> dict[str, Figures]:
    """Apply the readouts to all cells of the other half."""
    number = len(pictures.classes)
    meetings = {name: [torch.zeros(len(readout.labels), number, dtype=torch.int64)
                       for readout in fit] for name, fit in fits.items()}
    for batch in pictures.batches(pictures.measuring):
        counted = (batch.labels != VOID) & truth.counts[batch.labels]
        for name, maps in reader.read(batch.images).items():
            for readout, found in zip(fits[name], meetings[name], strict=True):
                outputs = to_grid(readout(maps), batch.labels.shape[-2:]).argmax(1).cpu()
                found += count_meetings(outputs[counted], batch.labels[counted], found.shape)
        tell('measuring', len(batch.numbers))
    return {name: Figures(score(of_probe, fits[name].probe.labels),
                          score(of_clusters, match(of_clusters)))
            for name, (of_probe, of_clusters) in meetings.items()}
