# Segment Anything (ViT-H) with CLIP ViT-L/14 at 336 on COCO panoptic: all masks that it finds, one
# name for each pixel, things and stuff. Weights from the hub or from local copies:
# --cfg-options model.panoptic_head.pretrained=FOLDER; of SAM 2 as well.
_base_ = [
    '../_base_/models/masks.py', '../_base_/datasets/coco_panoptic.py',
    '../_base_/default_runtime.py'
]

model = dict(
    panoptic_head=dict(
        _delete_=True,
        type='SAMHead',
        pretrained='facebook/sam-vit-huge',
        vocabulary={{_base_.coco_vocabulary}}))

train_dataloader = val_dataloader = val_evaluator = None
test_cfg = dict(type='TestLoop')
