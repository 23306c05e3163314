# The true masks of the embedded data set, with their classes unknown, named by the small CLIP: what
# it makes of perfect masks. Other masks: --cfg-options model.panoptic_head.file=FILE.
_base_ = [
    '../_base_/models/masks_small.py', '../_base_/datasets/shapes_panoptic.py',
    '../_base_/default_runtime.py'
]

model = dict(
    panoptic_head=dict(
        _delete_=True,
        type='MaskFileHead',
        file='data/shapes/annotations/panoptic_val.json',
        vocabulary={{_base_.vocabulary}}))

train_dataloader = val_dataloader = val_evaluator = None
test_cfg = dict(type='TestLoop')
