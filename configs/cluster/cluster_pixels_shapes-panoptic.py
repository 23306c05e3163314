# Clusters of the pixels' colours, which those of features are compared with.
_base_ = './cluster_sd-small_shapes-panoptic.py'

model = dict(
    backbone=dict(_delete_=True, type='PixelBackbone', strides=(4, )),
    panoptic_head=dict(
        num_clusters=6, normalize=False, center=False, min_size=0.01, min_cosine=None))
