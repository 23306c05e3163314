# The paper's caption-supervised ODISE: Stable Diffusion 1.3, CLIP ViT-L/14 at 336, COCO's masks
# without their classes and its captions, 32 GPUs with 2 images each. Frozen weights as in the
# label-supervised one.
_base_ = [
    '../_base_/models/odise_caption.py', '../_base_/datasets/coco_caption.py',
    '../_base_/schedules/odise_coco.py', '../_base_/default_runtime.py'
]

model = dict(panoptic_head=dict(vocabulary={{_base_.coco_vocabulary}}))

# a resumed training draws the random numbers that an uninterrupted one would have drawn
default_hooks = dict(iteration_seed=dict(type='IterationSeedHook'))
