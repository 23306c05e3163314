"""What is learned on top of a map: a linear probe with the truth, clusters without it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...utils.optional import import_optional

#: Of setup.py, brings scikit-learn.
EXTRA = 'clusters'
_ITERATIONS = 300
_STARTS = 3


class Readout(NamedTuple):
    """Chooses one of K outputs at each cell: the largest of K linear functions of its features.

    That is a linear probe, and the nearest of K centres, too. Between cells the functions are
    interpolated, which is the same as of interpolated features.

    Attributes:
        weight (Tensor): (K, C).
        bias (Tensor): (K,).
        labels (Tensor): What the outputs are called: classes, or numbers of clusters, (K,).
    """

    weight: Tensor
    bias: Tensor
    labels: Tensor

    def __call__(self, maps: Tensor) -> Tensor:
        """The K functions of maps (B, C, h, w), (B, K, h, w)."""
        weight, bias = self.weight.to(maps.device), self.bias.to(maps.device)
        return torch.einsum('kc,bchw->bkhw', weight, maps.float()) + bias[:, None, None]

    @classmethod
    def of_standardized(
        cls, weight: np.ndarray, bias: np.ndarray, labels: np.ndarray, mean: np.ndarray,
        deviation: np.ndarray,
    ) -> Readout:
        """Take the standardization of features into weights and bias."""
        weight = weight / deviation
        bias = bias - weight @ mean
        return cls(*(torch.from_numpy(np.asarray(values, np.float32)) for values in (weight, bias)),
                   torch.from_numpy(np.asarray(labels, np.int64)))


def fit_probe(features: Tensor, labels: Tensor) -> Readout:
    """Learn a multinomial logistic regression on standardized features, penalty as scikit-learn's.

    Args:
        features (Tensor): Of cells, (N, C).
        labels (Tensor): Their classes, at least two different ones, (N,).
    """
    linear_model = import_optional('sklearn.linear_model', EXTRA)
    standard, mean, deviation = _standardize(features)
    model = linear_model.LogisticRegression(max_iter=_ITERATIONS, tol=1e-3)
    with _no_warnings():  # stopping early is meant: it costs a fraction of a point
        model.fit(standard, labels.numpy())
    weight, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # one function that is positive for the second class
        weight, bias = np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])
    return Readout.of_standardized(weight, bias, model.classes_, mean, deviation)


def fit_clusters(features: Tensor, number: int, seed: int) -> Readout:
    """Find K centres of standardized features by k-means.

    Args:
        features (Tensor): Of cells, (N, C), N at least K.
        number (int): K.
        seed (int): Of the random numbers.
    """
    cluster = import_optional('sklearn.cluster', EXTRA)
    standard, mean, deviation = _standardize(features)
    model = cluster.KMeans(number, n_init=_STARTS, random_state=seed)
    with _no_warnings():  # there may be fewer different cells than clusters
        model.fit(standard)
    centres = model.cluster_centers_
    # the nearest centre c has the largest 2 c x - |c|^2
    return Readout.of_standardized(
        2 * centres, -(centres ** 2).sum(1), np.arange(number), mean, deviation)


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Leave out scikit-learn's of convergence."""
    exceptions = import_optional('sklearn.exceptions', EXTRA)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
        yield


def _standardize(features: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = features.float().numpy()
    mean, deviation = values.mean(0), values.std(0)
    deviation[deviation < 1e-6 * (np.abs(mean) + 1e-6)] = 1  # a channel that says nothing
    return (values - mean) / deviation, mean, deviation
