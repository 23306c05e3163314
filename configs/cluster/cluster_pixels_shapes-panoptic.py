# Clusters of the pixels' colours, which those of features are compared with; tuned as these are.
_base_ = './cluster_sd-small_shapes-panoptic.py'

model = dict(
    backbone=dict(_delete_=True, type='PixelBackbone', strides=(4, )),
    panoptic_head=dict(
        normalize=False, center=False, weights=None, min_size=0.02, min_cosine=0.98))
