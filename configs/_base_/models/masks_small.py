# Masks from elsewhere, named by the small CLIP that comes with mmodise; nothing is trained.
# Derived configs give panoptic_head, with its vocabulary.
_base_ = './odise_small.py'

model = dict(
    backbone=dict(_delete_=True, type='PixelBackbone'),
    # of patches that a mask touches, most of the picture is another's: see configs/masks/README.md
    classifier=dict(align_masks=True, min_coverage=0.75),
    train_cfg=None,
    test_cfg=dict(iou_thr=0.5))  # masks of whole things and of their parts overlap
