# Masks from elsewhere, named by CLIP at the paper's size; nothing is trained.
# Derived configs give panoptic_head, with its vocabulary.
_base_ = './odise.py'

model = dict(
    backbone=dict(_delete_=True, type='PixelBackbone'),
    classifier=dict(align_masks=True),
    train_cfg=None,
    test_cfg=dict(iou_thr=0.5))  # masks of whole things and of their parts overlap
