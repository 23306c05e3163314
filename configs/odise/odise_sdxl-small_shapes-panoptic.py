# ODISE on the embedded data set, over a small Stable Diffusion XL, which is trained first:
# `python tools/small_models/train_small_models.py unet-xl`.
_base_ = './odise_sd-small_shapes-panoptic.py'

model = dict(
    backbone=dict(
        extractor=dict(
            _delete_=True,
            type='StableDiffusionXLExtractor',
            pretrained='data/small_models/stable_diffusion_xl')))
