# Recursive normalized cut (DiffCut) in place of K-means.
_base_ = './cluster_sd-small_shapes-panoptic.py'

model = dict(panoptic_head=dict(method='normalized_cut', power=8, tau=0.3, center=True))
