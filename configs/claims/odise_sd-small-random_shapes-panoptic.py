# Over a random diffusion model: `mim run mmodise make_small_models data/small_models` writes it.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

model = dict(
    backbone=dict(extractor=dict(pretrained='data/small_models/stable_diffusion')))
