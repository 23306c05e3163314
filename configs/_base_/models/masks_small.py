# Masks from elsewhere, named by the small CLIP that comes with mmodise; nothing is trained.
# Derived configs give panoptic_head, with its vocabulary.
_base_ = './odise_small.py'

model = dict(
    backbone=dict(_delete_=True, type='PixelBackbone'),
    classifier=dict(align_masks=True),
    train_cfg=None)
