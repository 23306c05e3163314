# Masks from elsewhere, named by CLIP at the paper's size; nothing is trained.
# Derived configs give panoptic_head, with its vocabulary.
_base_ = './odise.py'

model = dict(
    backbone=dict(_delete_=True, type='PixelBackbone'),
    classifier=dict(align_masks=True),
    train_cfg=None)
