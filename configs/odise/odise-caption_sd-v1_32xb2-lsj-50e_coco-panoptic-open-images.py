# The paper's caption-supervised ODISE with Open Images' boxes beside COCO: a word
# that has boxes is to be found in masks of these. As many iterations as on COCO alone; nobody has
# trained it.
_base_ = [
    '../_base_/models/odise_caption.py', '../_base_/datasets/coco_open_images.py',
    '../_base_/schedules/odise_coco.py', '../_base_/default_runtime.py'
]

model = dict(
    panoptic_head=dict(
        vocabulary={{_base_.coco_vocabulary}},
        loss_grounding=dict(box_weight=1.0)))

# a resumed training draws the random numbers that an uninterrupted one would have drawn
default_hooks = dict(iteration_seed=dict(type='IterationSeedHook'))
