# All terms of the consistency; the view is half as large and mirrored.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

model = dict(consistency=dict(type='ConsistencyLoss'))
