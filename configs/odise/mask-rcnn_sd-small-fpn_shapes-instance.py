# mmdet's own Mask R-CNN on diffusion features. RoIAlign and NMS need mmcv's compiled ops.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py', '../_base_/datasets/shapes_panoptic.py',
    '../_base_/default_runtime.py'
]

clip = dict(type='FrozenCLIP', model='mmodise://shapes/clip')

model = dict(
    data_preprocessor=dict(mean=[0, 0, 0], std=[255, 255, 255], pad_size_divisor=64),
    backbone=dict(
        _delete_=True,
        type='DiffusionBackbone',
        extractor=dict(
            type='StableDiffusionExtractor', pretrained='mmodise://shapes/stable_diffusion'),
        captioner=dict(type='ImplicitCaptioner', clip=clip),
        out_channels=128,
        window_size=128),
    neck=dict(in_channels=[128, 128, 128, 128]),
    roi_head=dict(bbox_head=dict(num_classes=12), mask_head=dict(num_classes=12)))

train_dataloader = dict(batch_size=4)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05),
    clip_grad=dict(max_norm=1.0, norm_type=2))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1000, val_interval=1000)

# A fixed classifier knows the base classes only, and the shapes have no instance annotations in
# COCO's format: give a data set of your own to evaluate.
val_dataloader = val_evaluator = test_dataloader = test_evaluator = None
