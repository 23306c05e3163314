# The picture and its half-size copy agree: masks and class distributions.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

model = dict(consistency=dict(
    type='ConsistencyLoss', layer_mask=0, layer_class=0, clip=0,
    embedding=0, scale=0.5, flip=False))
