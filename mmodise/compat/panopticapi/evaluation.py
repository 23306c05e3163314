"""Panoptic quality, under panopticapi's names."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

OFFSET = 256**3  # one more than the largest segment id that a PNG of 3 bytes a pixel can hold
VOID = 0  # segment id of pixels without a segment


@dataclass
class PQStatCat:
    """Counts of one category: what panoptic quality is made from.

    Args:
        iou (float): Sum of the intersections over union of the matched pairs, each in (0.5, 1].
        tp (int): Number of matched pairs.
        fp (int): Number of predicted segments without a match.
        fn (int): Number of annotated segments without a match.
    """

    iou: float = 0.0
    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __iadd__(self, other: PQStatCat) -> PQStatCat:
        self.iou += other.iou
        self.tp += other.tp
        self.fp += other.fp
        self.fn += other.fn
        return self

    @property
    def is_empty(self) -> bool:
        """Whether the category was neither annotated nor predicted."""
        return self.tp + self.fp + self.fn == 0

    def quality(self) -> dict[str, float]:
        """Panoptic, segmentation and recognition quality, each in [0, 1]; PQ = SQ x RQ."""
        size = self.tp + 0.5 * self.fp + 0.5 * self.fn
        return dict(
            pq=self.iou / size if size else 0.0,
            sq=self.iou / self.tp if self.tp else 0.0,
            rq=self.tp / size if size else 0.0)


class PQStat:
    """Counts of all categories, by category id."""

    def __init__(self) -> None:
        self.pq_per_cat = defaultdict(PQStatCat)

    def __getitem__(self, category_id: int) -> PQStatCat:
        return self.pq_per_cat[category_id]

    def __iadd__(self, other: PQStat) -> PQStat:
        for category_id, counts in other.pq_per_cat.items():
            self.pq_per_cat[category_id] += counts
        return self

    def pq_average(self, categories: dict[int, dict],
                   isthing: bool | None) -> tuple[dict, dict[int, dict[str, float]]]:
        """Average the qualities over the categories that were annotated or predicted.

        Args:
            categories (dict[int, dict]): Categories by id; ``isthing`` of each is 0 or 1.
            isthing (bool | None): Things only, stuff only, or (None) both.

        Returns:
            tuple[dict, dict]: The means ``pq``, ``sq``, ``rq`` in [0, 1] and the number ``n`` of
            categories they are taken over (all 0 where there is none); and ``pq``, ``sq``,
            ``rq`` by category id, 0 for categories that do not occur.
        """
        chosen = [
            category_id for category_id, category in categories.items()
            if isthing is None or bool(category['isthing']) == isthing
        ]
        # Read with get: an average must not add categories to the counts.
        counts = {category_id: self.pq_per_cat.get(category_id, PQStatCat())
                  for category_id in chosen}
        per_category = {category_id: count.quality() for category_id, count in counts.items()}
        present = [per_category[i] for i, count in counts.items() if not count.is_empty]
        mean = {
            name: sum(quality[name] for quality in present) / max(len(present), 1)
            for name in ('pq', 'sq', 'rq')
        }
        return dict(mean, n=len(present)), per_category
