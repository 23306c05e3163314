# Features of the UNet alone. It has no map of stride 4: each is put one level higher.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

model = dict(
    backbone=dict(
        extractor=dict(encoder_blocks=(), decoder_blocks=()),
        strides=(32, 16, 8, 4)))  # their own are 64, 32, 16, 8
