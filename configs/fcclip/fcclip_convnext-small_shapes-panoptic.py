# FC-CLIP on the embedded data set, over a small ConvNeXt CLIP:
# `python tools/small_models/train_small_models.py clip-convnext`. Minutes on two CPU cores.
_base_ = [
    '../_base_/models/fcclip_small.py', '../_base_/datasets/shapes_panoptic_enlarged.py',
    '../_base_/schedules/odise_minutes.py', '../_base_/default_runtime.py'
]

model = dict(panoptic_head=dict(vocabulary={{_base_.vocabulary}}))
