# ODISE on the embedded data set, over a small Stable Diffusion 3, which is trained first:
# `python tools/small_models/train_small_models.py transformer`.
_base_ = './odise_sd-small_shapes-panoptic.py'

model = dict(
    backbone=dict(
        extractor=dict(
            _delete_=True,
            type='DiffusionTransformerExtractor',
            pretrained='data/small_models/stable_diffusion_3',
            encoder_blocks=(5, 7),
            transformer_blocks=(2, 3, 4),
            decoder_blocks=(2, 5),
            t5_length=0),  # as in its training
        # a map of each block of the transformer has stride 8; they are spread over three outputs
        strides=(4, 8, 8, 16, 32, 8, 4)))
