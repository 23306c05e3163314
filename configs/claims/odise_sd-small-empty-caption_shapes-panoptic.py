# The empty caption for every image, in place of the implicit captioner.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

model = dict(backbone=dict(captioner=None))
