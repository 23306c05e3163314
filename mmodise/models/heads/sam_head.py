"""Masks of Segment Anything."""

from __future__ import annotations

import torch
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.utils import ConfigType
from torch import Tensor

from ...vocabulary import Vocabulary
from ..ensembles.no_object import append_no_object
from ..sam import Frame, FrozenSAM, MaskFilter
from .mask_source import MaskPredictions, MaskSource


@MODELS.register_module()
class SAMHead(MaskSource):
    """Segment Anything, never trained, as a source of masks. Its backbone is ``PixelBackbone``.

    With points it finds masks of everything before it knows any name: those at a grid of points
    that are sure and stable, none twice (Segment Anything, 2304.02643, appendix B, without crops);
    ``objectness`` is the predicted quality, and a classifier names them. This is what
    ``SamModel``, ``Sam2Model`` and ``Sam3TrackerModel`` of transformers do.

    With names, which is what ``Sam3Model`` takes, it is asked for each name of the vocabulary:
    things are its objects, stuff is one region, and names that compete for a mask have
    in-vocabulary scores, the network's own. A classifier may be there and need not.

    Args:
        pretrained (str): A folder in transformers' layout with the network, its processor and, for
            names, its tokenizer; or a name on the hub. Its config.json says which network it is; of
            SAM 3's (``sam3_video``) both kinds of prompts can be had.
        vocabulary (dict): The vocabulary for images that bring none, see
            :meth:`Vocabulary.from_metainfo`.
        prompts (str, optional): 'points' or 'names'. Defaults to None, points if it takes them.
        points_per_side (int): Of the grid. Defaults to 32.
        points_per_batch (int): Points that go through the decoder at once. Defaults to 64.
        pred_iou_thresh (float): What the predicted quality must exceed. Defaults to 0.88.
        stability_score_thresh (float): Least IoU of a mask cut off at the offset and at its
            negative. Defaults to 0.95.
        stability_score_offset (float): Of logits. Defaults to 1.0.
        nms_thresh (float): Greatest IoU of the boxes of two masks. Defaults to 0.7.
        min_area (float): Least number of pixels of a mask. Defaults to 0.
        score_thresh (float): With names, what the score of a mask must exceed; below 0.5 "no
            object" is more probable. Defaults to 0.5.
        names_per_batch (int): Names that go through the network at once. Defaults to 8.
        dtype (str): What it computes in: 'float32', 'bfloat16' or 'float16'. Defaults to 'float32'.
        train_cfg (dict, optional): Not read.
        test_cfg (dict, optional): Not read.
        init_cfg (dict, optional): As in :class:`mmengine.model.BaseModule`.

    Raises:
        FileNotFoundError: If a file of the folder is missing, or is no weights.
        ImportError: If the installed transformers is too old for the network.
        ValueError: If the folder is of another kind, or weights are missing or broken.
    """

    def __init__(
        self,
        pretrained: str,
        vocabulary: ConfigType,
        prompts: str | None = None,
        points_per_side: int = 32,
        points_per_batch: int = 64,
        pred_iou_thresh: float = 0.88,
        stability_score_thresh: float = 0.95,
        stability_score_offset: float = 1.0,
        nms_thresh: float = 0.7,
        min_area: float = 0.0,
        score_thresh: float = 0.5,
        names_per_batch: int = 8,
        dtype: str = 'float32',
        train_cfg: ConfigType | None = None,
        test_cfg: ConfigType | None = None,
        init_cfg: ConfigType | None = None,
    ) -> None:
        super().__init__(init_cfg)
        for name, number in dict(points_per_side=points_per_side, names_per_batch=names_per_batch,
                                 points_per_batch=points_per_batch).items():
            if number < 1:
                raise ValueError(f'SAMHead: {name}={number}; give 1 or more.')
        self.vocabulary = Vocabulary.from_metainfo(vocabulary)
        self.sam = FrozenSAM(pretrained, prompts, dtype)
        self.filter = MaskFilter(
            pred_iou_thresh, stability_score_thresh, stability_score_offset, nms_thresh, min_area)
        self.points_per_side, self.points_per_batch = points_per_side, points_per_batch
        self.score_thresh, self.names_per_batch = score_thresh, names_per_batch

    @property
    def finds_without_names(self) -> bool:
        """Whether the network is prompted with points."""
        return self.sam.prompts == 'points'

    def find(self, x: tuple[Tensor, ...], batch_data_samples: SampleList) -> MaskPredictions:
        """Find masks of everything.

        Args:
            x (tuple[Tensor, ...]): The padded images first, RGB in [0, 1], (B, 3, H, W).
            batch_data_samples (SampleList): B samples, with ``img_shape``.
        """
        images = zip(x[0], batch_data_samples, strict=True)
        masks, quality = zip(
            *(self._find_everything(*self._prepare(*image)) for image in images), strict=True)
        return MaskPredictions(list(masks), objectness=list(quality))

    def predict(
        self, x: tuple[Tensor, ...], batch_data_samples: SampleList, vocabularies: list[Vocabulary]
    ) -> MaskPredictions:
        """Find masks of names, or of everything; arguments as in :meth:`MaskSource.predict`."""
        if self.finds_without_names:
            return super().predict(x, batch_data_samples, vocabularies)
        images = zip(x[0], batch_data_samples, vocabularies, strict=True)
        masks, scores = zip(*(self._find_names(*self._prepare(image, sample), vocabulary)
                              for image, sample, vocabulary in images), strict=True)
        return MaskPredictions(list(masks), in_vocabulary=list(scores))

    def _prepare(self, image: Tensor, sample: object) -> tuple[Tensor, Frame]:
        height, width = sample.img_shape[:2]
        return self.sam.prepare(image[:, :height, :width], image.shape[-2:])

    def _find_everything(self, pixels: Tensor, frame: Frame) -> tuple[Tensor, Tensor]:
        """Logits, (N, h, w), and qualities, (N,), of all masks of an image."""
        points = frame.grid_points(self.points_per_side, pixels.device)
        masks, qualities = [pixels.new_zeros(0, *frame.size, dtype=torch.float32)], []
        for logits, quality in self.sam.masks_at(pixels, points, self.points_per_batch):
            sure = quality > self.filter.quality
            placed = frame.place(logits[sure])
            stable = self.filter.is_stable(placed, frame.area)
            masks.append(placed[stable])
            qualities.append(quality[sure][stable])
        masks, quality = torch.cat(masks), torch.cat(qualities)
        kept = self.filter.without_duplicates(masks > 0, quality)
        return masks[kept], quality[kept].clamp(0, 1)

    def _find_names(
        self, pixels: Tensor, frame: Frame, vocabulary: Vocabulary
    ) -> tuple[Tensor, Tensor]:
        """Logits of masks, (N, h, w), and class logits, (N, K + 1), of an image."""
        found: list[tuple[Tensor, Tensor, int]] = []
        concepts = self.sam.concepts(pixels, vocabulary.names, self.names_per_batch)
        for concept, label in zip(concepts, vocabulary.class_indices, strict=True):
            masks, scores = concept.masks, concept.scores
            if label >= vocabulary.num_things:
                masks, scores = concept.region[None], concept.presence[None]
            sure = scores > self.score_thresh
            placed = frame.place(masks[sure])
            large = (placed > 0).sum((1, 2)) * frame.area > self.filter.min_area
            found.append((placed[large], scores[sure][large], int(label)))
        return self._join(found, vocabulary)

    def _join(
        self, found: list[tuple[Tensor, Tensor, int]], vocabulary: Vocabulary
    ) -> tuple[Tensor, Tensor]:
        """Masks of all names, each once a class, with their class logits."""
        masks, logits = [], []
        for label in range(len(vocabulary)):
            own, scores = zip(*((m, s) for m, s, other in found if other == label), strict=True)
            own, scores = torch.cat(own), torch.cat(scores)
            kept = self.filter.without_duplicates(own > 0, scores)
            classes = scores.new_zeros(len(kept), len(vocabulary))
            classes[:, label] = 1
            masks.append(own[kept])
            logits.append(append_no_object(classes, 1 - scores[kept, None]))
        return torch.cat(masks), torch.cat(logits)
