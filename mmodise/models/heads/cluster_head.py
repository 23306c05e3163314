"""Masks without training: clusters of features."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from torch import Tensor

from ...vocabulary import Vocabulary
from ..clustering import (
    connected_parts,
    cosine_affinity,
    join_parts,
    kmeans,
    recursive_cut,
    refine_by_colors,
)
from .mask_source import MaskPredictions, MaskSource

_METHODS = ('kmeans', 'normalized_cut')
_LOGIT = 10.0  # of a pixel that is surely in a mask


@MODELS.register_module()
class ClusterHead(MaskSource):
    """Clusters the cells of each image's maps; nothing is trained, and a classifier names.

    Maps of all strides are resized to cells of one, and concatenated. Cells are clustered; the
    connected parts of clusters become masks, which do not overlap. Parts of one stuff class become
    one segment in the fusion head; two parts of one thing class stay two segments there, also where
    they touch, since nothing tells two things that touch from one in two parts.

    Args:
        vocabulary (dict): What is looked for in images that bring no classes: ``thing_classes`` and
            ``stuff_classes``, see :meth:`Vocabulary.from_metainfo`.
        method (str): ``'kmeans'``, with ``num_clusters``; or ``'normalized_cut'``, with ``power``
            and ``tau``, which finds their number itself (DiffCut, NeurIPS 2024).
        stride (int): Pixels per cell. Defaults to 8.
        num_clusters (int): K, at most the cells of the smallest image. Defaults to 32.
        power (float): Of the cosine affinity, see :func:`cosine_affinity`. Defaults to 10
            (DiffCut).
        tau (float): The largest normalized cut, see :func:`recursive_cut`. Defaults to 0.5
            (DiffCut).
        max_cells (int): Of an affinity, whose memory grows with their square and whose time with
            their cube. Defaults to 4096.
        normalize (bool): Whether the vectors of each map are made of length 1; not where their
            lengths matter, as those of colours do. Defaults to True.
        center (bool): Whether the mean over an image is subtracted, so that cosines tell more of
            what differs in it. Defaults to False.
        weights (Sequence[float], optional): Of each map. Defaults to None, 1 each.
        min_size (float): Smaller parts, as a share of the image, are joined with the neighbour that
            is most alike. Defaults to 0.01.
        min_cosine (float, optional): Neighbouring parts at least as alike are joined, see
            :func:`join_parts`. Defaults to None, none are.
        refine (dict, optional): Arguments of :func:`refine_by_colors`, which the backbone must give
            the images for, as its first map: ``with_image`` of :class:`DiffusionBackbone`, or
            stride 1 of :class:`PixelBackbone`. Defaults to None, masks are those of the cells.
        seed (int): Of the start of K-means. Defaults to 0.
        train_cfg (dict, optional): Not read.
        test_cfg (dict, optional): Not read.

    Raises:
        ValueError: If there is no such method, or a number is out of range.
    """

    def __init__(
        self,
        vocabulary: dict,
        method: str = 'kmeans',
        stride: int = 8,
        num_clusters: int = 32,
        power: float = 10.0,
        tau: float = 0.5,
        max_cells: int = 4096,
        normalize: bool = True,
        center: bool = False,
        weights: Sequence[float] | None = None,
        min_size: float = 0.01,
        min_cosine: float | None = None,
        refine: dict | None = None,
        seed: int = 0,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
    ) -> None:
        super().__init__()
        if method not in _METHODS:
            raise ValueError(
                f'ClusterHead: method={method!r}; give one of {", ".join(_METHODS)}.')
        if not 0 <= min_size < 1:
            raise ValueError(f'ClusterHead: min_size={min_size} is no share of an image: give 0 '
                             'to 1, such as 0.01.')
        self.vocabulary = Vocabulary.from_metainfo(vocabulary)
        self.method, self.stride, self.num_clusters, self.seed = method, stride, num_clusters, seed
        self.power, self.tau, self.max_cells = power, tau, max_cells
        self.normalize, self.center, self.weights = normalize, center, weights
        self.min_size, self.min_cosine, self.refine = min_size, min_cosine, refine

    @torch.no_grad()
    def find(self, x: tuple[Tensor, ...], batch_data_samples: SampleList) -> MaskPredictions:
        """Cluster the images; their masks share the pixels among them.

        Args:
            x (tuple[Tensor, ...]): Maps of any strides, after the images if masks are refined.
            batch_data_samples (SampleList): As in :meth:`MaskSource.find`.

        Raises:
            ValueError: If an image has fewer cells than clusters, or more than ``max_cells``; or if
                the images are missing that masks are refined by.
        """
        padded = tuple(batch_data_samples[0].batch_input_shape)
        images, maps = self._split(x, padded)
        shapes = [tuple(sample.img_shape[:2]) for sample in batch_data_samples]
        cells = [features[:, :ceil(height / self.stride), :ceil(width / self.stride)]
                 for features, (height, width) in zip(self._describe(maps, padded), shapes,
                                                      strict=True)]
        if self.center:
            cells = [features - features.mean((1, 2), keepdim=True) for features in cells]
        masks = [self._masks(*image) for image in zip(self._cluster(cells, shapes), cells,
                                                      strict=True)]
        if self.refine is None:
            size = tuple(ceil(length / self.stride) for length in padded)
            return MaskPredictions([_logits(image, size) for image in masks])
        return MaskPredictions([
            _logits(self._refined(shares, image[:, :shape[0], :shape[1]]), padded)
            for shares, image, shape in zip(masks, images, shapes, strict=True)])

    def _split(
        self, x: tuple[Tensor, ...], padded: tuple[int, int]
    ) -> tuple[Tensor | None, tuple[Tensor, ...]]:
        """The images, if they are wanted, and the maps."""
        if self.refine is None:
            return None, x
        if tuple(x[0].shape[-2:]) != padded or x[0].shape[1] != 3 or len(x) < 2:
            raise ValueError(
                'ClusterHead: refine needs the images as the first of several maps, and the '
                f'backbone gives {[tuple(maps.shape[1:]) for maps in x]}; set '
                'model.backbone.with_image=True (DiffusionBackbone), give PixelBackbone stride 1 '
                'and another, or set model.panoptic_head.refine=None.')
        return x[0], x[1:]

    def _describe(self, maps: tuple[Tensor, ...], padded: tuple[int, int]) -> Tensor:
        """All maps at one stride, as one: (B, C, h, w)."""
        weights = self.weights or [1.0] * len(maps)
        if len(weights) != len(maps):
            raise ValueError(f'ClusterHead: weights={list(weights)}, and the backbone gives '
                             f'{len(maps)} maps: give one for each.')
        size = tuple(ceil(length / self.stride) for length in padded)
        parts = []
        for weight, features in zip(weights, maps, strict=True):
            features = features.float()
            if self.normalize:
                features = F.normalize(features, dim=1)
            parts.append(weight * _resized(features, size))
        return torch.cat(parts, 1)

    def _cluster(self, cells: list[Tensor], shapes: list[tuple[int, int]]) -> list[Tensor]:
        """The cluster of each cell, (h, w) per image."""
        points = [features.flatten(1).T for features in cells]
        for shape, image in zip(shapes, points, strict=True):
            self._check_number(shape, len(image))
        if self.method == 'kmeans':
            labels = kmeans(points, self.num_clusters, self.seed)
        else:
            labels = [recursive_cut(cosine_affinity(image, self.power), self.tau)
                      for image in points]
        return [image.view(features.shape[1:])
                for image, features in zip(labels, cells, strict=True)]

    def _check_number(self, shape: tuple[int, int], number: int) -> None:
        what = (f'ClusterHead: an image of {shape[0]} x {shape[1]} pixels has {number} cells of '
                f'stride {self.stride}')
        if self.method == 'kmeans' and self.num_clusters > number:
            raise ValueError(
                f'{what}, and num_clusters={self.num_clusters} is more. Set fewer clusters, or a '
                'smaller stride.')
        if self.method == 'normalized_cut' and number > self.max_cells:
            raise ValueError(
                f'{what}, whose affinity takes {4 * number**2 / 2**20:,.0f} MiB, and several times '
                f'that in work; the limit is max_cells={self.max_cells} '
                f'({4 * self.max_cells**2 / 2**20:,.0f} MiB). Set a larger stride, smaller images '
                '(the scale of Resize in test_pipeline), or max_cells.')

    def _masks(self, clusters: Tensor, features: Tensor) -> Tensor:
        """Masks of an image's cells, 0 or 1, (Q, h, w)."""
        parts = connected_parts(clusters.cpu().numpy())
        parts = join_parts(parts, features.permute(1, 2, 0).cpu().numpy(),
                           self.min_size * parts.size, self.min_cosine)
        return _one_hot(torch.from_numpy(parts).to(features.device))

    def _refined(self, masks: Tensor, image: Tensor) -> Tensor:
        """Masks of an image's pixels, 0 or 1, (Q, H, W), from those of its cells."""
        height, width = (cells * self.stride for cells in masks.shape[1:])
        shares = _resized(masks[None], (height, width))[0, :, :image.shape[1], :image.shape[2]]
        shares = refine_by_colors(shares, image, **self.refine)
        parts = connected_parts(shares.argmax(0).cpu().numpy())
        parts = join_parts(parts, shares.permute(1, 2, 0).cpu().numpy(),
                           self.min_size * parts.size)
        return _one_hot(torch.from_numpy(parts).to(masks.device))


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Means where maps (B, C, h, w) become smaller, and bilinear where they become larger."""
    if maps.shape[-1] > size[1]:
        return F.interpolate(maps, size, mode='area')
    return F.interpolate(maps, size, mode='bilinear', align_corners=False)


def _one_hot(parts: Tensor) -> Tensor:
    return F.one_hot(parts).permute(2, 0, 1).float()


def _logits(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Mask logits of the padded image, (Q, h, w); what is at the border goes on in the padding."""
    pad = (0, size[1] - masks.shape[2], 0, size[0] - masks.shape[1])
    return F.pad((2 * masks - 1)[None] * _LOGIT, pad, mode='replicate')[0]
