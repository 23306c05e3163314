# ODISE on the embedded data set, over a small aMUSEd, which is trained first:
# `python tools/small_models/train_small_models.py vq`, then `... tokens`.
_base_ = './odise_sd-small_shapes-panoptic.py'

model = dict(
    backbone=dict(
        extractor=dict(
            _delete_=True,
            type='TokenDiffusionExtractor',
            pretrained='data/small_models/amused',
            encoder_blocks=(5, 7),
            transformer_layers=(2, 3, 4),
            mask_shares=(0.0, )),
        # a map of each layer of the transformer has stride 8; they are spread over three outputs
        strides=(4, 8, 8, 16, 32)))
