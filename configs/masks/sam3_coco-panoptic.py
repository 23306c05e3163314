# SAM 3, asked for each class of COCO panoptic by its names; no other network is there.
_base_ = [
    '../_base_/models/masks.py', '../_base_/datasets/coco_panoptic.py',
    '../_base_/default_runtime.py'
]

model = dict(
    panoptic_head=dict(
        _delete_=True,
        type='SAMHead',
        pretrained='facebook/sam3',
        prompts='names',
        vocabulary={{_base_.coco_vocabulary}}),
    classifier=None,
    ensemble=None)

train_dataloader = val_dataloader = val_evaluator = None
test_cfg = dict(type='TestLoop')
