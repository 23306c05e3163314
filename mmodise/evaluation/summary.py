"""What is kept of a panoptic evaluation."""

import math
from collections.abc import Mapping

#: Groups of classes, and their prefix in the metrics.
GROUPS = {'all': '', 'base': 'base_', 'novel': 'novel_'}


def summarize(metrics: Mapping[str, float]) -> dict[str, dict[str, float | None]]:
    """PQ, SQ and RQ of all, base and novel classes.

    Args:
        metrics (Mapping[str, float]): Of :class:`OpenVocabularyPanopticMetric`.

    Returns:
        dict[str, dict[str, float | None]]: By group, then 'PQ', 'SQ' and 'RQ', in percent; None
        where a group has no class.
    """
    def value(key: str) -> float | None:
        figure = metrics.get(f'coco_panoptic/{key}', math.nan)
        return None if math.isnan(figure) else round(figure, 3)

    return {
        group: {name: value(prefix + name) for name in ('PQ', 'SQ', 'RQ')}
        for group, prefix in GROUPS.items()
    }
