# FC-CLIP's recipe: CLIP ConvNeXt-Large, COCO panoptic, 8 GPUs with 2 images each; `--amp` for mixed
# precision. The frozen weights come from the hub, or from a local copy, see README.md.
_base_ = [
    '../_base_/models/fcclip.py', '../_base_/datasets/coco_panoptic.py',
    '../_base_/schedules/fcclip_coco.py', '../_base_/default_runtime.py'
]

model = dict(panoptic_head=dict(vocabulary={{_base_.coco_vocabulary}}))

test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True, backend='pillow'),
    dict(type='PackDetInputs', meta_keys={{_base_.meta_keys}})
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# a resumed training draws the random numbers that an uninterrupted one would have drawn
default_hooks = dict(iteration_seed=dict(type='IterationSeedHook'))
