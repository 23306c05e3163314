"""One answer about a picture, and what can be asked about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..panoptic_result import PanopticResult
from ..segment import Segment

#: Titles of the table of segments.
COLUMNS = ('No.', 'Class', 'Kind', 'Score', 'Share', 'What else it might be')
_SHOWN_SIDE = 480  # pixels that the shorter side of a picture is drawn with, at least
_DIMMED = 0.5  # brightness of what is not pointed at
_LEAST_SCORE = 0.005  # which is shown as 1 %


@dataclass(frozen=True, eq=False)
class Answer:
    """A result as it is shown to a visitor.

    Args:
        result (PanopticResult): The segments.
        note (str): What the visitor is to know, in a sentence. Defaults to '', nothing.
    """

    result: PanopticResult
    note: str = ''

    @cached_property
    def drawn(self) -> np.ndarray:
        """The picture with its segments, RGB, uint8; a multiple of its size if that is small."""
        return self.result.plot(legend=False, min_side=_SHOWN_SIDE)

    def rows(self) -> list[list]:
        """The table of segments, the largest first, see ``COLUMNS``."""
        return [[
            segment.id, segment.name, 'thing' if segment.is_thing else 'stuff',
            f'{segment.score:.0%}', f'{segment.area / self.result.segment_ids.size:.1%}',
            ', '.join(f'{name} {score:.0%}' for name, score in segment.runners_up[:3]
                      if score >= _LEAST_SCORE)]
            for segment in sorted(self.result.segments, key=lambda segment: -segment.area)]

    def segment(self, number: int) -> Segment | None:
        """The segment of a number; None if there is none."""
        return next((found for found in self.result.segments if found.id == number), None)

    def segment_at(self, x: int, y: int) -> Segment | None:
        """The segment at a pixel of the drawn picture; None for void."""
        return self.segment(int(self._shown(self.result.segment_ids)[y, x]))

    def highlight(self, segment: Segment | None) -> np.ndarray:
        """The drawn picture, all but a segment dimmed; as it is for None."""
        if segment is None:
            return self.drawn
        mask = self._shown(self.result.segment_ids == segment.id)
        return np.where(mask[..., None], self.drawn, (_DIMMED * self.drawn).astype(np.uint8))

    def _shown(self, values: np.ndarray) -> np.ndarray:
        """A map of the picture, (H, W), in the size that it is drawn with."""
        rows, columns = (np.arange(shown) * side // shown
                         for shown, side in zip(self.drawn.shape, values.shape, strict=False))
        return values[rows][:, columns]


def candidates(segment: Segment) -> dict[str, float]:
    """What a segment is, and what else it might be, with scores that are not nothing."""
    others = {name: score for name, score in segment.runners_up if score >= _LEAST_SCORE}
    return {segment.name: segment.score, **others}
