# Recursive normalized cut in place of K-means.
_base_ = './cluster_sd-small_shapes-panoptic.py'

model = dict(
    backbone=dict(extractor=dict(decoder_blocks=()), strides=(8, 8)),
    panoptic_head=dict(method='normalized_cut', power=6, tau=0.3, weights=None))
