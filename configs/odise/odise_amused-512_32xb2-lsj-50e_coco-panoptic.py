# The paper's recipe with aMUSEd, discrete diffusion over tokens, in place of Stable Diffusion.
_base_ = './odise_sd-v1_32xb2-lsj-50e_coco-panoptic.py'

model = dict(
    backbone=dict(
        extractor=dict(
            _delete_=True,
            type='TokenDiffusionExtractor',
            pretrained='amused/amused-512',
            encoder_blocks=(5, 7, 9),  # strides 4, 8 and 16
            transformer_layers=(5, 11, 17),  # stride 32
            mask_shares=(0.0, ))))
