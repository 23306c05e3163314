# Features of the VAE alone, and so no caption. It has no maps of strides 16 and 32: the encoder's
# are at 4 and 16, the decoder's at 32 and 8.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

model = dict(
    backbone=dict(
        extractor=dict(unet_blocks=()),
        captioner=None,
        strides=(4, 16, 32, 8)))  # their own are 4, 8, 8, 4
