# Segment Anything with the small CLIP, on the embedded data set. No network of it comes with
# mmodise: --cfg-options model.panoptic_head.pretrained=FOLDER, of SAM, SAM 2 or SAM 3.
_base_ = [
    '../_base_/models/masks_small.py', '../_base_/datasets/shapes_panoptic.py',
    '../_base_/default_runtime.py'
]

model = dict(
    panoptic_head=dict(
        _delete_=True,
        type='SAMHead',
        pretrained='facebook/sam-vit-base',
        vocabulary={{_base_.vocabulary}}))

train_dataloader = val_dataloader = val_evaluator = None
test_cfg = dict(type='TestLoop')
