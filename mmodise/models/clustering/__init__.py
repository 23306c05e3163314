"""Clusters of the cells of feature maps: K-means, normalized cut, and what masks are made of."""

from .kmeans import kmeans, lloyd, spread_centers
from .normalized_cut import best_split, cosine_affinity, prefix_costs, recursive_cut
from .parts import connected_parts, join_parts
from .refinement import refine_by_colors

__all__ = [
    'best_split', 'connected_parts', 'cosine_affinity', 'join_parts', 'kmeans', 'lloyd',
    'prefix_costs', 'recursive_cut', 'refine_by_colors', 'spread_centers']
