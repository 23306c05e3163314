# The paper's recipe with Stable Diffusion XL in place of 1.3, in windows of its own size.
_base_ = './odise_sd-v1_32xb2-lsj-50e_coco-panoptic.py'

model = dict(
    backbone=dict(
        extractor=dict(
            _delete_=True,
            type='StableDiffusionXLExtractor',
            pretrained='stabilityai/stable-diffusion-xl-base-1.0',
            encoder_blocks=(5, 7),
            unet_blocks=(2, 5, 8),
            decoder_blocks=(2, 5),
            timesteps=(0, )),
        window_size=1024))
