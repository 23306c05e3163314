# One caption for every image, in place of the implicit captioner.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

model = dict(backbone=dict(captioner=dict(
    type='GivenCaption', _delete_=True, text='a picture of balls, boxes, stars and rings')))
