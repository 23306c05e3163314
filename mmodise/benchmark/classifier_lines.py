"""What is compared in the table of mask classifiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

TRUST = 0.5  # OVRCOAT's


class Line(NamedTuple):
    """A line of the table.

    Attributes:
        title: In Markdown.
        settings: Of the model's classifier, which differ from its config; None for the head alone.
        trust: Of the ensemble.
        is_tuned: Whether the classifier is the one that was trained on true masks.
    """

    title: str
    settings: Mapping | None
    trust: float = 0.0
    is_tuned: bool = False


_COVERED = dict(min_coverage=0.5)
_SOFT = dict(soft_masks=True)
_SOFT_3 = dict(soft_masks=True, last_blocks=3)

#: By name, in the order of the table.
LINES = {
    'head': Line('head alone', None),
    'plain': Line('as the official release', {}),
    'coverage': Line('`min_coverage=0.5`', _COVERED),
    'coverage-more': Line('`min_coverage=0.75`', dict(min_coverage=0.75)),
    'soft': Line('`soft_masks`', _SOFT),
    'coverage-last-3': Line('`min_coverage=0.5`, `last_blocks=3`', {**_COVERED, 'last_blocks': 3}),
    'soft-last-3': Line('`soft_masks`, `last_blocks=3`', _SOFT_3),
    'soft-last-2': Line('`soft_masks`, `last_blocks=2`', {**_SOFT, 'last_blocks': 2}),
    'plain-coat': Line('as the official release, `trust=0.5`', {}, TRUST),
    'coverage-coat': Line('`min_coverage=0.5`, `trust=0.5`', _COVERED, TRUST),
    'soft-coat': Line('`soft_masks`, `trust=0.5`', _SOFT, TRUST),
    'soft-last-3-coat': Line('`soft_masks`, `last_blocks=3`, `trust=0.5`', _SOFT_3, TRUST),
    'tuned': Line('`TunedCLIPClassifier`', {}, is_tuned=True),
    'tuned-coat': Line('`TunedCLIPClassifier`, `trust=0.5`', {}, TRUST, is_tuned=True),
}
#: Of which the best weights of the ensemble are looked for.
SWEPT = 'plain', 'coverage', 'coverage-more', 'soft', 'soft-last-3', 'tuned'
