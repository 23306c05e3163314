"""Out-of-vocabulary scores of masks by what CLIP makes of the cells under them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.utils import ConfigType
from torch import Tensor, nn

from ...vocabulary import Vocabulary
from ..backbones import CLIPBackbone
from ..clip.towers import LAST_STRIDE
from .clip_mask_classifier import CLIPMaskClassifier, resize
from .mask_classifier import MaskScores

_POOLINGS = ('hard', 'soft')


class CellEmbeddings(NamedTuple):
    """Embeddings of the masks of an image, (Q, D), and which of them cover a cell, bool (Q,)."""

    embeddings: Tensor
    covers: Tensor


@MODELS.register_module()
class PooledCLIPClassifier(CLIPMaskClassifier):
    """Scores masks by frozen CLIP: its head on the cells of its last map under a mask (FC-CLIP).

    If the backbone is a :class:`CLIPBackbone` of the same CLIP and no neck changes its maps, they
    are read, so that the tower runs once per image. With any other backbone the tower runs here, on
    each image without the padding of the batch.

    Args:
        clip (dict): Config of a :class:`FrozenCLIP` with a ConvNeXt or one of OpenAI's ResNets.
        prompt (str | Sequence[str]): What a name is put into, as in :class:`CLIPClassifier`.
            Defaults to 'vild', FC-CLIP's 14 templates, whose embeddings are averaged.
        pooling (str): 'hard': cells at which the mask's logit is above 0, all alike (FC-CLIP).
            'soft': all cells, weighted with the mask's probability (MaskCLIP++). Defaults to
            'hard'.
        valid_only (bool): Whether a mask that covers no cell is scored by the mask source alone
            (FC-CLIP's "ensemble on valid masks", on with ResNets). Else it gets what CLIP makes of
            nothing. Defaults to False.
        scale (float): How much an image is enlarged before CLIP sees it, bilinearly. With another
            than 1 the tower runs here, whatever the backbone is. Defaults to 1.

    Raises:
        ValueError: If CLIP's image tower gives no maps, ``prompt`` is no template, ``pooling`` is
            another word, or ``scale`` is not above 0.
    """

    def __init__(
        self,
        clip: ConfigType,
        prompt: str | Sequence[str] = 'vild',
        pooling: str = 'hard',
        valid_only: bool = False,
        scale: float = 1.0,
    ) -> None:
        if pooling not in _POOLINGS:
            raise ValueError(
                f'PooledCLIPClassifier: pooling={pooling!r} is not one of {", ".join(_POOLINGS)}.')
        if not scale > 0:
            raise ValueError(f'PooledCLIPClassifier: scale={scale!r} is not above 0.')
        super().__init__(clip, prompt)
        _ = self.clip.stage_widths  # refuses a CLIP without maps, now
        self.pooling = pooling
        self.valid_only = valid_only
        self.scale = scale
        self.reads_backbone = False

    def connect(self, backbone: nn.Module, neck: nn.Module | None) -> None:
        """Read the backbone's last map if it is of the same CLIP, and as CLIP made it."""
        self.reads_backbone = (
            neck is None and self.scale == 1 and isinstance(backbone, CLIPBackbone)
            and backbone.clip.frozen is self.clip.frozen)

    def embed(
        self,
        images: Tensor,
        features: tuple[Tensor, ...],
        masks: Sequence[Tensor],
        batch_data_samples: SampleList,
    ) -> list[CellEmbeddings]:
        """Embed masks, see :meth:`MaskClassifier.forward`."""
        if self.reads_backbone:
            return [self._embed(dense, self.cells(logits, dense.shape[-2:]))
                    for dense, logits in zip(features[-1], masks, strict=True)]
        return [self._embed_alone(image, logits, sample.img_shape[:2])
                for image, logits, sample in zip(images, masks, batch_data_samples, strict=True)]

    def score(
        self, embeddings: Sequence[CellEmbeddings], vocabularies: list[Vocabulary]
    ) -> list[MaskScores]:
        """Score what :meth:`embed` gave, see :meth:`classify`."""
        return [MaskScores(self.classify(masks, vocabulary), covers if self.valid_only else None)
                for (masks, covers), vocabulary in zip(embeddings, vocabularies, strict=True)]

    def cells(self, mask_logits: Tensor, size: tuple[int, int]) -> Tensor:
        """Which cells of a map a mask covers.

        Args:
            mask_logits (Tensor): Of what the map shows, (Q, H, W).
            size (tuple[int, int]): Height and width of the map.

        Returns:
            Tensor: (Q, h, w): bool with hard pooling, with soft pooling the share of each.
        """
        logits = mask_logits.float()
        if self.pooling == 'hard':
            return resize(logits, size) > 0
        return resize(logits.sigmoid(), size)

    def _embed(self, dense: Tensor, cells: Tensor) -> CellEmbeddings:
        """Embed the masks of an image from its map (C, h, w) and their cells (Q, h, w)."""
        embeddings = self.clip.embed_cells(dense[None], cells[None])[0]
        return CellEmbeddings(embeddings, (cells > 0.5).flatten(1).any(dim=1))

    def _embed_alone(
        self, image: Tensor, logits: Tensor, size: tuple[int, int]
    ) -> CellEmbeddings:
        """Embed the masks of an image of some size; it and its mask logits (Q, h, w) are padded."""
        height, width = size
        enlarged = round(self.scale * height), round(self.scale * width)
        rows, columns = (-(-side // LAST_STRIDE) for side in enlarged)
        alone = self.clip.mean_colour.to(image).expand(
            -1, rows * LAST_STRIDE, columns * LAST_STRIDE).clone()
        alone[:, :enlarged[0], :enlarged[1]] = resize(image[:, :height, :width], enlarged)
        dense = self.clip.encode_maps(alone[None])[-1][0]
        centres = [
            (torch.arange(count, device=image.device) + 0.5) * LAST_STRIDE * own / new / padded
            for count, own, new, padded in zip(
                (rows, columns), size, enlarged, image.shape[-2:], strict=True)]
        return self._embed(dense, self._cells_at(logits, *centres))

    def _cells_at(self, mask_logits: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """As :meth:`cells`, with centres of rows (h,) and columns (w,) as shares of the sides."""
        logits = mask_logits.float()
        maps = logits if self.pooling == 'hard' else logits.sigmoid()
        grid = 2 * torch.stack(torch.meshgrid(x, y, indexing='xy'), dim=-1) - 1  # (h, w, 2)
        shares = F.grid_sample(  # of single points, as bilinear resizing takes them
            maps[None], grid[None], padding_mode='border', align_corners=False)[0]
        return shares > 0 if self.pooling == 'hard' else shares
