# Features at timestep 600.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

model = dict(backbone=dict(extractor=dict(timesteps=(600, ))))
