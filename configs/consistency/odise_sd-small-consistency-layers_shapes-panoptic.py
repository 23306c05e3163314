# All decoder layers agree with the last: masks and class distributions.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

model = dict(consistency=dict(
    type='ConsistencyLoss', view_mask=0, view_class=0, clip=0, embedding=0))
