# Mask embeddings under predicted and under true masks agree.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

model = dict(consistency=dict(
    type='ConsistencyLoss', layer_mask=0, layer_class=0, view_mask=0, view_class=0, clip=0))
