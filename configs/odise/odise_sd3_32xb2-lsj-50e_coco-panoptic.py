# The paper's recipe with Stable Diffusion 3 in place of 1.3, on windows of half its own size.
_base_ = './odise_sd-v1_32xb2-lsj-50e_coco-panoptic.py'

model = dict(
    backbone=dict(
        extractor=dict(
            _delete_=True,
            type='DiffusionTransformerExtractor',
            pretrained='stabilityai/stable-diffusion-3-medium-diffusers',
            encoder_blocks=(5, 7),
            transformer_blocks=(6, 12, 18),
            decoder_blocks=(2, 5),
            image_size=512),
        # maps of the transformer have stride 16; the deepest goes to 32
        strides=(4, 8, 16, 16, 32, 8, 4)))
