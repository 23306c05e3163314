"""Ensembles: in- and out-of-vocabulary scores of masks -> one score."""

from .geometric_ensemble import GeometricEnsemble
from .no_object import append_no_object, score_objects, trust_classifier

__all__ = ['GeometricEnsemble', 'append_no_object', 'score_objects', 'trust_classifier']
