"""Comparisons of trainings on the embedded data set, one file each."""

from . import captioners, claims, consistency, generators, recipes

#: By name, as `compare_claims --table` takes it.
COMPARISONS = {
    module.COMPARISON.name: module.COMPARISON
    for module in (claims, captioners, consistency, generators, recipes)}
