# The paper's label-supervised ODISE: Stable Diffusion 1.3, CLIP ViT-L/14 at 336, COCO panoptic,
# 32 GPUs with 2 images each. The frozen weights come from the hub, or from local copies:
# `--cfg-options model.backbone.extractor.pretrained=FOLDER`.
_base_ = [
    '../_base_/models/odise.py', '../_base_/datasets/coco_panoptic.py',
    '../_base_/schedules/odise_coco.py', '../_base_/default_runtime.py'
]

model = dict(panoptic_head=dict(vocabulary={{_base_.coco_vocabulary}}))

# a resumed training draws the random numbers that an uninterrupted one would have drawn
default_hooks = dict(iteration_seed=dict(type='IterationSeedHook'))
