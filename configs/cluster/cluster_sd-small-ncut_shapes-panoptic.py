# Recursive normalized cut in place of K-means.
_base_ = './cluster_sd-small_shapes-panoptic.py'

model = dict(
    panoptic_head=dict(method='normalized_cut', power=6, tau=0.3, min_cosine=None))
