"""A picture that was looked at once and may be asked about again and again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from mmdet.structures import DetDataSample
from torch import Tensor

from ..models import ODISE, Observation, SegmentMap
from ..vocabulary import Vocabulary
from .inputs import Picture
from .panoptic_result import PanopticResult
from .segment import Segment, measure_segments

if TYPE_CHECKING:
    from .inferencer import ODISEInferencer

_RUNNERS_UP = 5


class Session:
    """What is known of a picture before any name; of :meth:`ODISEInferencer.open`.

    ::

        session = inferencer.open('street.jpg')
        session('car; person', stuff='road; sky')
        session('taxi; bus', threshold=0.5)

    Safe in threads.

    Args:
        inferencer (ODISEInferencer): Its maker.
        picture (Picture): The picture.
        sample (DetDataSample): Its sizes, on the way through the model.
        observation (Observation): What the networks make of it.
    """

    def __init__(self, inferencer: ODISEInferencer, picture: Picture, sample: DetDataSample,
                 observation: Observation) -> None:
        self.picture = picture
        self._inferencer, self._sample, self._observation = inferencer, sample, observation

    def __call__(
        self, vocabulary: object = None, *, stuff: object = None, alpha: float | None = None,
        beta: float | None = None, threshold: float | None = None,
    ) -> PanopticResult:
        """Label the picture; arguments as in :meth:`ODISEInferencer.__call__`.

        Raises:
            FileNotFoundError: If a file of the vocabulary does not exist.
            ValueError: If the vocabulary cannot be read, or a number is out of range.
        """
        inferencer = self._inferencer
        check_shares(alpha=alpha, beta=beta, threshold=threshold)
        shares = {name: value for name, value in (('alpha', alpha), ('beta', beta))
                  if value is not None}
        with inferencer.computing():
            return _label(inferencer.model, self, inferencer.read_vocabulary(vocabulary, stuff),
                          threshold, **shares)

    @property
    def num_bytes(self) -> int:
        """Memory that it keeps: of tensors and of the picture."""
        kept = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes()
                for t in _tensors(self._observation)}
        return sum(kept.values()) + self.picture.image.nbytes


def check_shares(**shares: float | None) -> None:
    """Refuse numbers that are not from 0 to 1.

    Raises:
        ValueError: Names the first of them.
    """
    for name, share in shares.items():
        if share is not None and not 0 <= share <= 1:
            raise ValueError(f'{name} is {share!r}; it must be between 0 and 1.')


def _label(
    model: ODISE, session: Session, vocabulary: Vocabulary, threshold: float | None,
    **shares: float,
) -> PanopticResult:
    """Score names, and make the result of a picture.

    Args:
        model (ODISE): Which made the session.
        session (Session): The picture.
        vocabulary (Vocabulary): The names.
        threshold (float, optional): In place of the config's.
        **shares (float): Alpha and beta, in place of the config's.
    """
    samples = [session._sample]
    scores = model.score(session._observation, samples, [vocabulary])
    segments, = model.segment(scores, samples, threshold, **shares)
    embeddings = scores.predictions.embeddings
    if embeddings is not None:
        embeddings = embeddings[0][segments.queries].float().cpu().numpy()
    ids = segments.ids.cpu().numpy()
    return PanopticResult(
        ids, tuple(_describe(ids, segments, vocabulary)), vocabulary,
        image=session.picture.image, path=session.picture.path, mask_embeddings=embeddings)


def _describe(ids: np.ndarray, segments: SegmentMap, vocabulary: Vocabulary) -> Iterator[Segment]:
    best = segments.probabilities[:, :-1].topk(min(_RUNNERS_UP + 1, len(vocabulary)))
    rows = zip(segments.labels.tolist(), best.values.tolist(), best.indices.tolist(),
               *measure_segments(ids, len(segments.labels)), strict=True)
    for number, (own, scores, labels, area, box) in enumerate(rows, start=1):
        # of equal scores the largest index may come first
        others = [(vocabulary.class_names[i], score)
                  for i, score in zip(labels, scores, strict=True) if i != own]
        yield Segment.of_class(
            number, own, vocabulary, score=max(scores), area=area, box=box,
            runners_up=others[:_RUNNERS_UP])


def _tensors(value: object) -> Iterator[Tensor]:
    """All tensors in nested tuples and lists."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)
